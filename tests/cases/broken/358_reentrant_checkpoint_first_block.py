# SPDX-License-Identifier: Apache-2.0
"""Reentrant checkpointing of the first blocks, whose input (the batch) needs no gradient."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.ff = nn.Linear(dim, dim)

    def forward(self, x):
        return x + torch.relu(self.ff(self.norm(x)))


class Model(pl.LightningModule):
    def __init__(self, depth=3):
        super().__init__()
        self.blocks = nn.ModuleList([Block(6) for _ in range(depth)])
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        for i, block in enumerate(self.blocks):
            heavy = i < len(self.blocks) - 1
            x = checkpoint(block, x, use_reentrant=True) if heavy else block(x)  # <-- CAUSE
        return self.head(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(358)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.utils.checkpoint.checkpoint",
    "cause_alt": ["checkpoint"],
    "line_marker": "# <-- CAUSE",
    "params": ["blocks.0.*", "blocks.1.*"],
    "metric_like": None,
    "source": "own",
    "notes": "torch only warns that none of the inputs require grad.",
}
