# SPDX-License-Identifier: Apache-2.0
"""Two residual adapters, each with a zero-initialised output, the inner one feeding only the outer gate."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.base, self.deep = nn.Linear(4, 4), nn.Linear(4, 4)
        self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 3)
        for m in (self.inner, self.outer):
            nn.init.zeros_(m.weight)
            nn.init.zeros_(m.bias)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.base(x).tanh() + self.inner(self.deep(x).tanh())
        return F.cross_entropy(self.outer(h) * 1.0 + x[:, :3], y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


def dataloader():
    g = torch.Generator().manual_seed(760)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Gradients arrive one level deeper with every step.",
    "all_grads_by_step": 3,
    "late": {"base.*": 2, "inner.*": 2, "deep.*": 3},
    "steps": 5,
    "source": "own",
}
