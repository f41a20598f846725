# SPDX-License-Identifier: Apache-2.0
"""The losses of an ensemble are averaged by numpy; the result is made 'trainable' again."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.members = nn.ModuleList(nn.Linear(5, 1) for _ in range(3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        losses = [F.mse_loss(m(x)[:, 0], y).item() for m in self.members]  # <-- CAUSE
        return torch.tensor(np.mean(losses), requires_grad=True)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(624)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "Tensor.item",
    "cause_alt": ["requires_grad=True", "torch.tensor", "numpy.mean"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
