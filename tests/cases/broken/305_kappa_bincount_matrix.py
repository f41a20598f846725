# SPDX-License-Identifier: Apache-2.0
"""Cohen's kappa from a confusion matrix that bincount fills with (target, argmax) pairs."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def confusion(pred, target, k):
    return torch.bincount(target * k + pred, minlength=k * k).view(k, k)  # <-- ALSO


def kappa_loss(logits, target):
    k = logits.size(1)
    cm = confusion(torch.argmax(logits, dim=1), target, k).float()  # <-- CAUSE
    n = cm.sum()
    observed = cm.diagonal().sum() / n
    expected = (cm.sum(0) * cm.sum(1)).sum() / n**2
    return 1 - (observed - expected) / (1 - expected + 1e-6)


LOSSES = {"kappa": kappa_loss, "ce": F.cross_entropy}


class Model(pl.LightningModule):
    def __init__(self, loss="kappa"):
        super().__init__()
        self.save_hyperparameters()
        self.backbone = nn.Sequential(nn.Linear(6, 10), nn.ELU())
        self.head = nn.Linear(10, 3)

    def training_step(self, batch, batch_idx):
        x, grade = batch
        return LOSSES[self.hparams.loss](self.head(self.backbone(x)), grade)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(305)
    x = torch.randn(30, 6, generator=g)
    y = torch.randint(0, 3, (30,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=10)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.argmax",
    "cause_alt": ["torch.bincount"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "MulticlassCohenKappa",
    "source": "own",
    "notes": "",
}
