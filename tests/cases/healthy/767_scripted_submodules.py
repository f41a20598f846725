# SPDX-License-Identifier: Apache-2.0
"""A scripted block and a traced block inside an eager model."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.lin = nn.Linear(d, d)

    def forward(self, x):
        return torch.relu(self.lin(x)) + x


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a = torch.jit.script(Block(5))
        self.b = torch.jit.trace(Block(5), torch.zeros(2, 5))
        self.out = nn.Linear(5, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.b(self.a(x))), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(767)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "TorchScript records the same graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
