# SPDX-License-Identifier: Apache-2.0
"""Distillation with the no_grad block around the student instead of the teacher."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def mlp(*sizes):
    layers = []
    for a, b in zip(sizes, sizes[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Model(pl.LightningModule):
    def __init__(self, tau=2.0):
        super().__init__()
        self.tau = tau
        self.student = mlp(6, 8, 3)
        self.teacher = mlp(6, 32, 32, 3).requires_grad_(False).eval()

    def training_step(self, batch, batch_idx):
        x, _ = batch
        with torch.no_grad():  # <-- CAUSE
            logits = self.student(x)  # <-- ALSO
        target = self.teacher(x)
        return self.tau**2 * F.kl_div(
            F.log_softmax(logits / self.tau, dim=-1),
            F.softmax(target / self.tau, dim=-1),
            reduction="batchmean",
        )

    def configure_optimizers(self):
        return torch.optim.Adam(self.student.parameters())


def dataloader():
    g = torch.Generator().manual_seed(334)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["student.*"],
    "metric_like": None,
    "quiet": ["teacher.*"],
    "source": "own",
    "notes": "The teacher is frozen on purpose.",
}
