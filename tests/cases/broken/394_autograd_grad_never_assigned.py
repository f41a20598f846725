# SPDX-License-Identifier: Apache-2.0
"""Gradients from autograd.grad are clipped and never written to the parameters."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, clip=1.0):
        super().__init__()
        self.automatic_optimization = False
        self.clip = clip
        self.lstm = nn.LSTM(2, 4, batch_first=True)
        self.fc = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        loss = F.cross_entropy(self.fc(self.lstm(x)[0][:, -1]), y)
        opt.zero_grad()
        grads = torch.autograd.grad(loss, list(self.parameters()))  # <-- CAUSE
        norm = torch.stack([g.norm() for g in grads]).norm()
        grads = [g * min(1.0, self.clip / (norm + 1e-6)) for g in grads]
        opt.step()
        self.log("grad_norm", norm)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(394)
    x = torch.randn(12, 4, 2, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.autograd.grad",
    "cause_alt": ["autograd.grad", "no_backward"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
