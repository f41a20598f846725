# SPDX-License-Identifier: Apache-2.0
"""Average precision from a precision curve over labels that are sorted by score."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class APLoss(nn.Module):
    def forward(self, score, label):
        ranked = label[torch.argsort(score, descending=True)]  # <-- CAUSE
        hits = ranked.cumsum(0)
        precision = hits / torch.arange(1, len(ranked) + 1)
        return 1 - (precision * ranked).sum() / ranked.sum().clamp(min=1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(5, 8)
        self.rank = nn.Linear(8, 1)
        self.ap = APLoss()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.ap(self.rank(self.embed(x).tanh()).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(603)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, (x.flatten(1)[:, 0] > 0).float()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.argsort",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "BinaryAveragePrecision",
    "source": "own",
    "notes": "",
}
