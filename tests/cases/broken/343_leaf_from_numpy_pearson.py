# SPDX-License-Identifier: Apache-2.0
"""A numpy correlation comes back by from_numpy and gets requires_grad_() to please backward."""

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def pearson(a, b):
    a, b = a.data.numpy(), b.data.numpy()  # <-- CAUSE
    return np.corrcoef(a, b)[:1, 1]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(5, 8), nn.GELU(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        r = pearson(self.mlp(x).view(-1), y.view(-1))
        loss = torch.from_numpy(1.0 - r).float().mean().requires_grad_()  # <-- ALSO
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(343)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "Tensor.data",
    "cause_alt": ["Tensor.numpy", "torch.from_numpy", "requires_grad_", "Tensor.requires_grad_"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "PearsonCorrCoef",
    "source": "own",
    "notes": "",
}
