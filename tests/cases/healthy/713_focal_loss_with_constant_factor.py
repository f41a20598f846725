# SPDX-License-Identifier: Apache-2.0
"""Focal loss with detached modulation, label smoothing and per-class weights from counts."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 9), nn.Mish(), nn.Linear(9, 4))
        count = torch.tensor([30.0, 50.0, 10.0, 90.0])
        self.register_buffer("weight", count.sum() / count)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        ce = F.cross_entropy(logits, y, self.weight, reduction="none", label_smoothing=0.1)
        with torch.no_grad():
            pt = logits.softmax(1).gather(1, y[:, None])[:, 0]
            factor = (1 - pt) ** 2
            seen = torch.bincount(logits.argmax(1), minlength=4)
        self.log("collapsed", (seen == 0).float().mean())
        return (factor * ce).sum() / factor.sum().item()

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(713)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The detached factor only weighs the live cross entropy.",
    "all_grads_by_step": 1,
    "source": "own",
}
