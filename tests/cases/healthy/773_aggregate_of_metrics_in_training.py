# SPDX-License-Identifier: Apache-2.0
"""Confusion matrix, running mean metric and AUROC are updated from live outputs inside the step."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import torchmetrics


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
        self.scores = torchmetrics.MetricCollection([torchmetrics.Accuracy(task="multiclass", num_classes=3), torchmetrics.AUROC(task="multiclass", num_classes=3)])
        self.mean = torchmetrics.MeanMetric()

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        loss = F.cross_entropy(logits, y)
        self.scores.update(logits.softmax(1), y)
        self.mean.update(loss)
        self.log("running", self.mean)
        self.log("confidence", logits.softmax(1).max(1)[0].gt(0.5).float().mean())
        return loss

    def on_train_epoch_end(self):
        self.log_dict(self.scores.compute())
        self.scores.reset()

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(773)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The metrics detach for themselves, the loss is separate.",
    "all_grads_by_step": 1,
    "source": "own",
}
