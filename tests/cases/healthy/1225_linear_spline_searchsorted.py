# SPDX-License-Identifier: Apache-2.0
"""searchsorted finds the knot, the interpolation is live in input and heights."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Spline(nn.Module):
    def __init__(self, n=9):
        super().__init__()
        self.register_buffer("knots", torch.linspace(-4, 4, n))
        self.height = nn.Parameter(torch.randn(n))

    def forward(self, x):
        i = torch.searchsorted(self.knots, x.detach().contiguous()).clamp(1, len(self.knots) - 1)
        lo, hi = self.knots[i - 1], self.knots[i]
        t = (x - lo) / (hi - lo)
        return torch.lerp(self.height[i - 1], self.height[i], t)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.spline, self.out = nn.Linear(6, 64), Spline(), nn.Linear(64, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(self.spline(2 * self.enc(x))), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1225)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'searchsorted finds the knot, the interpolation is live in input and heights.',
    'all_grads_by_step': 1,
    'source': 'own',
}
