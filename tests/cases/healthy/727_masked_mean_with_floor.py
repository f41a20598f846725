# SPDX-License-Identifier: Apache-2.0
"""Mean over a mask that is empty for some samples, with the count clamped to one."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb, self.out = nn.Embedding(12, 6), nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        mask = (x > 6).unsqueeze(-1).float()
        mask[0] = 0
        pooled = (self.emb(x) * mask).sum(1) / mask.sum(1).clamp(min=1)
        return F.cross_entropy(self.out(pooled), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(727)
    x = torch.randint(1, 12, (24, 5), generator=g)
    y = torch.randint(0, 3, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "No division by zero.",
    "all_grads_by_step": 1,
    "source": "own",
}
