# SPDX-License-Identifier: Apache-2.0
"""Residual blocks skipped at random for a whole batch; one of them is not drawn before the third step."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(6, 6) for _ in range(3)])
        self.head = nn.Linear(6, 3)
        self.drawn = [(1, 1, 0), (0, 1, 0), (1, 0, 1)]

    def training_step(self, batch, batch_idx):
        x, y = batch
        alive = self.drawn[self.global_step % 3]
        for keep, block in zip(alive, self.blocks, strict=True):
            if keep or not self.training:
                x = x + torch.tanh(block(x)) / 0.66
        return F.cross_entropy(self.head(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(535)
    data = TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 3, (48,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "A skipped block has no gradient in that batch and one as soon as it is drawn.",
    "steps": 6, "all_grads_by_step": 3, "late": {"blocks.2.*": 3},
    "source": "own",
}
