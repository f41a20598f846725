# SPDX-License-Identifier: Apache-2.0
"""Top-2 routing by index, expert outputs scaled by the renormalised router weights and added by index_add."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Moe(nn.Module):
    def __init__(self, dim, n):
        super().__init__()
        self.router = nn.Linear(dim, n, bias=False)
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(dim, 12), nn.GELU(), nn.Linear(12, dim)) for _ in range(n)])

    def forward(self, x):
        weight, chosen = self.router(x).softmax(-1).topk(2, dim=-1)
        weight = weight / weight.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            row, slot = torch.where(chosen == i)
            if row.numel():
                out.index_add_(0, row, weight[row, slot, None] * expert(x[row]))
        return out


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp, self.moe, self.head = nn.Linear(6, 8), Moe(8, 3), nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.inp(x)
        return F.cross_entropy(self.head(h + self.moe(h)), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(534)
    data = TensorDataset(torch.randn(192, 6, generator=g), torch.randint(0, 3, (192,), generator=g))
    return DataLoader(data, batch_size=64)


EXPECT = {
    "verdict": "healthy",
    "why": "Expert choice is by integer index, the weights that scale the outputs train the router.",
    "all_grads_by_step": 1,
    "source": "own",
}
