# SPDX-License-Identifier: Apache-2.0
"""Blocks keep their size as a float attribute; it is logged and scales a dropout."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.fc = nn.Linear(i, o)
        self.size = 0.0

    def forward(self, x):
        h = self.fc(x)
        self.size = h.square().mean().item()
        return h.relu()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Block(6, 8), Block(8, 8)])
        self.out = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        for block in self.blocks:
            x = F.dropout(block(x), min(0.3, 0.1 * block.size))
        sizes = torch.tensor([b.size for b in self.blocks])
        self.log("size", sizes.mean())
        return F.cross_entropy(self.out(x), y) * (1.0 + 0.1 * sizes.mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1363)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Blocks keep their size as a float attribute; it is logged and scales a dropout.',
    'all_grads_by_step': 1,
    'source': 'own',
}
