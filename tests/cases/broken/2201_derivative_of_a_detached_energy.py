# SPDX-License-Identifier: Apache-2.0
"""Forces are the derivative of an energy whose last layer was detached."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def energy(self, pos):
        return self.net(pos).detach().sum()  # <-- ALSO

    def training_step(self, batch, batch_idx):
        (pos,) = batch
        pos = pos.clone().requires_grad_(True)
        force = -torch.autograd.grad(self.energy(pos), pos, create_graph=True)[0]  # <-- CAUSE
        return F.mse_loss(force, torch.zeros_like(force))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2201)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'autograd.grad', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Forces are the derivative of an energy whose last layer was detached.', 'also_marker': '# <-- ALSO', 'error': 'does not require grad'}
