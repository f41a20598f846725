# SPDX-License-Identifier: Apache-2.0
"""Terms come from a generator; one of them went through a formatted string."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.dec = nn.Linear(6, 4), nn.Linear(4, 6)

    def terms(self, x, y):
        z = self.net(x)
        yield F.cross_entropy(z, y)
        yield 0.5 * F.mse_loss(self.dec(z), x)
        decor = (torch.corrcoef(z.T) - torch.eye(4)).square().mean()
        self.log("decor", decor.detach())
        yield float(f"{decor:.4f}")  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return sum(self.terms(x, y))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2301)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'format', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Terms come from a generator; one of them went through a formatted string.', 'term': 'decor'}
