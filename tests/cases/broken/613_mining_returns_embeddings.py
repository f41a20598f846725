# SPDX-License-Identifier: Apache-2.0
"""A triplet miner that should return indices returns embeddings, computed without gradients."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class HardMiner:
    @torch.no_grad()  # <-- CAUSE
    def __call__(self, emb, y):
        d = torch.cdist(emb, emb)
        same = y[:, None] == y[None]
        pos = d.masked_fill(~same, -1).argmax(1)
        neg = d.masked_fill(same, 1e6).argmin(1)
        return emb * 1.0, emb[pos], emb[neg]  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4))
        self.mine = HardMiner()
        self.loss = nn.TripletMarginLoss(margin=0.5)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss(*self.mine(self.embed(x), y))

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(613)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "no_grad",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
