# SPDX-License-Identifier: Apache-2.0
"""A queue must fill before there is a loss: the step returns None twice."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f, self.queue = nn.Linear(5, 4), []

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z = F.normalize(self.f(x), dim=1)
        self.queue.append(z.detach())
        if len(self.queue) < 3:
            return None
        old = torch.cat(self.queue[:-1])
        pos = F.normalize(self.f(x * 1.1), dim=1)
        logits = torch.cat([(z * pos).sum(1, keepdim=True), z @ old.T], 1) / 0.3
        return F.cross_entropy(logits, torch.zeros(len(x), dtype=torch.long))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(775)
    x = torch.randn(48, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Training begins with the third batch.",
    "all_grads_by_step": 3,
    "late": {"f.*": 3},
    "steps": 5,
    "source": "own",
}
