# SPDX-License-Identifier: Apache-2.0
"""LayerDrop with a fixed schedule: each block is used in one batch of three."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.out = nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(x + self.blocks[batch_idx % 3](x).tanh()), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(769)
    x = torch.randn(48, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (48,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Every block gets its turn.",
    "all_grads_by_step": 3,
    "late": {"blocks.1.*": 2, "blocks.2.*": 3},
    "steps": 6,
    "source": "own",
}
