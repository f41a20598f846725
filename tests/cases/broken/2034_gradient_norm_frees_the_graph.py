# SPDX-License-Identifier: Apache-2.0
"""The norm of the auxiliary gradient is measured by autograd.grad, which frees the graph."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(6, 8), nn.Tanh())
        self.a, self.b = nn.Linear(8, 4), nn.Linear(8, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.trunk(x)
        main, aux = F.cross_entropy(self.a(h), y), F.mse_loss(self.b(h), x)
        grads = torch.autograd.grad(aux, list(self.trunk.parameters()))  # <-- CAUSE
        norm = torch.stack([g.norm() for g in grads]).norm()
        self.log("aux_norm", norm)
        return main + aux / (norm + 1e-3)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2034)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'autograd.grad', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The norm of the auxiliary gradient is measured by autograd.grad, which frees the graph.', 'error': 'backward through the graph a second time'}
