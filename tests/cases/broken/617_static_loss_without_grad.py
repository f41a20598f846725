# SPDX-License-Identifier: Apache-2.0
"""A static method with the loss carries a decorator that was meant for the metric below it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(5, 3)

    @staticmethod
    @torch.no_grad()  # <-- CAUSE
    def objective(logits, y):
        return F.cross_entropy(logits, y, label_smoothing=0.1)  # <-- ALSO

    @staticmethod
    def accuracy(logits, y):
        return (logits.argmax(1) == y).float().mean()

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.f(x)
        self.log("acc", self.accuracy(logits, y))
        return self.objective(logits, y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(617)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
