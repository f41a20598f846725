# SPDX-License-Identifier: Apache-2.0
"""Accuracy, F1 and confusion matrix from torchmetrics are updated with live logits and logged as metric objects."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
import torchmetrics
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 3)
        self.acc = torchmetrics.Accuracy(task="multiclass", num_classes=3)
        self.all = torchmetrics.MetricCollection([
            torchmetrics.F1Score(task="multiclass", num_classes=3, average="macro"),
            torchmetrics.ConfusionMatrix(task="multiclass", num_classes=3),
        ])

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        loss = F.cross_entropy(logits, y)
        self.acc(logits, y)
        scores = self.all(logits.softmax(1), y)
        self.log("acc", self.acc, on_step=True, on_epoch=True)
        self.log("f1", scores["MulticlassF1Score"])
        return {"loss": loss, "logits": logits}

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(524)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The metrics are logged only and the loss is cross entropy.",
    "all_grads_by_step": 1,
    "source": "own",
}
