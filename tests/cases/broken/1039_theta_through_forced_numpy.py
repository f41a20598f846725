# SPDX-License-Identifier: Apache-2.0
"""The localisation network of a spatial transformer passes its matrix through numpy(force=True)."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.loc = nn.Linear(64, 6)
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))

    def theta(self, x):
        raw = self.loc(x.flatten(1)).view(-1, 2, 3)
        fixed = raw.numpy(force=True).clip(-1, 1)  # <-- CAUSE
        return torch.from_numpy(fixed)  # <-- ALSO

    def forward(self, x):
        grid = F.affine_grid(self.theta(x), x.shape, align_corners=False)
        return self.net(F.grid_sample(x, grid, align_corners=False))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1039)
    return DataLoader(TensorDataset(torch.randn(24, 1, 8, 8, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.numpy',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['loc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The localisation network of a spatial transformer passes its matrix through numpy(force=True).',
}
