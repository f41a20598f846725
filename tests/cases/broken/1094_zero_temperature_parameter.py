# SPDX-License-Identifier: Apache-2.0
"""A learned temperature starts at zero and divides the logits."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.tau = nn.Parameter(torch.zeros(()))  # <-- ALSO

    def forward(self, scores):
        return scores / self.tau  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.scale = Scaled()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.scale(self.net(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1094)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'nonfinite',
    'cause': 'division',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A learned temperature starts at zero and divides the logits.',
    'loss_finite': False,
}
