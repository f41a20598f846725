# SPDX-License-Identifier: Apache-2.0
"""Class prototypes are sums over counts; a class without a sample in the batch gives 0 / 0."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

N_CLASSES = 6


def prototypes(z, y):
    onehot = F.one_hot(y, N_CLASSES).float()
    counts = onehot.sum(dim=0)
    return (onehot.t() @ z) / counts.unsqueeze(1)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(5, 10), nn.Tanh(), nn.Linear(10, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.backbone(x)
        dist = -torch.cdist(z, prototypes(z, y))
        return F.cross_entropy(dist, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(441)
    x = torch.randn(12, 5, generator=g)
    y = torch.randint(0, 6, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "div",
    "cause_alt": ["torch.div", "Tensor.div", "truediv"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "",
}
