# SPDX-License-Identifier: Apache-2.0
"""The auxiliary gradient is measured with retain_graph=True for the log only."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk, self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 4), nn.Linear(8, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.trunk(x).tanh()
        main, aux = F.cross_entropy(self.a(h), y), F.mse_loss(self.b(h), x)
        norms = [torch.autograd.grad(t, h, retain_graph=True)[0].norm().item() for t in (main, aux)]
        self.log("ratio", norms[0] / norms[1])
        return main + aux * norms[0] / norms[1]

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2117)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The auxiliary gradient is measured with retain_graph=True for the log only.', 'all_grads_by_step': 1, 'source': 'own'}
