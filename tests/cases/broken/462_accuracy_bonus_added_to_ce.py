# SPDX-License-Identifier: Apache-2.0
"""The loss is cross-entropy plus (1 - accuracy), the second part from argmax."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class CEPlusAccuracy(nn.Module):
    def __init__(self, alpha=0.3):
        super().__init__()
        self.alpha = alpha
        self.ce = nn.CrossEntropyLoss(label_smoothing=0.1)

    def error(self, logits, y):
        return 1 - (
            logits.softmax(dim=-1)
            .argmax(dim=-1)  # <-- CAUSE
            .eq(y)
            .float()
            .mean()
        )

    def forward(self, logits, y):
        err = self.error(logits, y)
        return (1 - self.alpha) * self.ce(logits, y) + self.alpha * err, err


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 4))
        self.criterion = CEPlusAccuracy()

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss, err = self.criterion(self.net(x), y)
        self.log("train_error", err, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(462)
    x = torch.randn(12, 7, generator=g)
    y = torch.randint(0, 4, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.argmax",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "MulticlassAccuracy",
    "term": "train_error",
    "source": "own",
    "notes": "",
}
