# SPDX-License-Identifier: Apache-2.0
"""A torchmetrics accuracy object is called and its value minimised."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torchmetrics
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 3)
        self.train_acc = torchmetrics.Accuracy(task="multiclass", num_classes=3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        acc = self.train_acc(self.net(x), y)  # <-- CAUSE
        self.log("train_acc", self.train_acc, on_epoch=True)
        return 1 - acc  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(324)
    x = torch.randn(12, 5, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "MulticlassAccuracy",
    "cause_alt": ["torchmetrics.Accuracy", "Tensor.argmax", "torch.argmax", "Metric.forward"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "MulticlassAccuracy",
    "source": "own",
    "notes": "",
}
