# SPDX-License-Identifier: Apache-2.0
"""Hard top-1 routing; the chosen output is scaled by its gate probability."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(4, 3)
        self.experts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.out = nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        prob = self.gate(x).softmax(-1)
        value, chosen = prob.max(-1)
        h = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            rows = (chosen == i).nonzero()[:, 0]
            if len(rows):
                h = h.index_add(0, rows, expert(x[rows]) * value[rows, None])
        share = F.one_hot(chosen, 3).float().mean(0)
        return F.cross_entropy(self.out(h), y) + 0.01 * 3 * (share * prob.mean(0)).sum()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(742)
    x = torch.randn(72, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (72,), generator=g)), batch_size=24)


EXPECT = {
    "verdict": "healthy",
    "why": "The gate learns through the scale of the expert that it chose.",
    "all_grads_by_step": 1,
    "source": "own",
}
