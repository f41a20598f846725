# SPDX-License-Identifier: Apache-2.0
"""Self-distillation in the manner of BYOL: an exponential moving average of the student gives the targets."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def mlp(i, o):
    return nn.Sequential(nn.Linear(i, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, o))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student, self.predictor = mlp(8, 6), mlp(6, 6)
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a, b = x + 0.1 * torch.randn_like(x), x + 0.1 * torch.randn_like(x)
        with torch.no_grad():
            ta, tb = self.teacher(a), self.teacher(b)
        pa, pb = self.predictor(self.student(a)), self.predictor(self.student(b))
        return 4 - 2 * (F.cosine_similarity(pa, tb) + F.cosine_similarity(pb, ta)).mean()

    def on_train_batch_end(self, outputs, batch, batch_idx):
        with torch.no_grad():
            for t, s in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
                t.lerp_(s, 0.05)

    def configure_optimizers(self):
        trained = [*self.student.parameters(), *self.predictor.parameters()]
        return torch.optim.AdamW(trained, lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(503)
    return DataLoader(TensorDataset(torch.randn(24, 8, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The teacher is frozen, computed without grad on purpose, and moved by hand.",
    "all_grads_by_step": 1,
    "source": "own",
}
