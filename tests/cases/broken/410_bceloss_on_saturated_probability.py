# SPDX-License-Identifier: Apache-2.0
"""Detector bias initialised far too high: BCELoss sees probabilities of exactly 1."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Detector(nn.Module):
    def __init__(self, prior_bias):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.score = nn.Conv2d(3, 1, 1)
        nn.init.constant_(self.score.bias, prior_bias)  # <-- ALSO

    def forward(self, img):
        return torch.sigmoid(self.score(F.relu(self.conv(img))))  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Detector(prior_bias=460.0)
        self.bce = nn.BCELoss()

    def training_step(self, batch, batch_idx):
        (img,) = batch
        target = (img > 1).float()
        loss = self.bce(self.net(img), target)  # <-- ALSO
        self.log("bce", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(410)
    x = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.sigmoid",
    "cause_alt": ["sigmoid", "binary_cross_entropy", "BCELoss"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
