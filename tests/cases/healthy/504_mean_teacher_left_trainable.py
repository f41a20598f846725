# SPDX-License-Identifier: Apache-2.0
"""Mean teacher whose weights still require grad but are in no optimizer; consistency with a ramped weight."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 3))
        self.teacher = copy.deepcopy(self.net)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        with torch.no_grad():
            target = self.teacher(x + 0.05 * torch.randn_like(x)).softmax(-1)
        ramp = min(1.0, self.global_step / 4)
        return F.cross_entropy(logits, y) + ramp * F.mse_loss(logits.softmax(-1), target)

    def on_before_zero_grad(self, optimizer):
        for t, s in zip(self.teacher.parameters(), self.net.parameters(), strict=True):
            t.data.mul_(0.9).add_(s.data, alpha=0.1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters())


def dataloader():
    g = torch.Generator().manual_seed(504)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The teacher is driven by the moving average alone and no optimizer holds it.",
    "steps": 4, "all_grads_by_step": 1, "never": ["teacher.*"],
    "source": "own",
}
