# SPDX-License-Identifier: Apache-2.0
"""The second task has labels in every other batch only; an absent task adds a float zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.a, self.b = nn.Linear(5, 8), nn.Linear(8, 3), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y, t = batch
        h = self.body(x).relu()
        extra = 0.0 if t.isnan().all() else F.mse_loss(self.b(h)[:, 0], t)
        return F.cross_entropy(self.a(h), y) + extra

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(750)
    t = torch.randn(32, generator=g)
    t[:8] = t[16:24] = float("nan")
    return DataLoader(TensorDataset(torch.randn(32, 5, generator=g), torch.randint(0, 3, (32,), generator=g), t), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "A head whose labels are absent waits for the next batch.",
    "all_grads_by_step": 2,
    "late": {"b.*": 2},
    "steps": 4,
    "source": "own",
}
