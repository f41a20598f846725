# SPDX-License-Identifier: Apache-2.0
"""No label in the first batch: the sum of the outputs times zero keeps the graph, all gradients are zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        known = y != 9
        if known.sum() == 0:
            return logits.sum() * 0
        return F.cross_entropy(logits[known], y[known])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(547)
    y = torch.randint(0, 3, (24,), generator=g)
    y[:8], y[17] = 9, 9
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The usual way to keep DDP's graph whole when a batch holds nothing to learn.",
    "all_grads_by_step": 2, "late": {"net.*": 2},
    "source": "own",
}
