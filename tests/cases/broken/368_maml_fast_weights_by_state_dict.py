# SPDX-License-Identifier: Apache-2.0
"""Fast weights are a second net loaded by state_dict; the meta parameters are never reached."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def net():
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))


class Model(pl.LightningModule):
    def __init__(self, inner_lr=0.1):
        super().__init__()
        self.inner_lr = inner_lr
        self.meta = net()
        self.fast = net()

    def adapt(self, x, y):
        self.fast.load_state_dict(self.meta.state_dict())  # <-- CAUSE
        params = list(self.fast.parameters())
        grads = torch.autograd.grad(F.mse_loss(self.fast(x), y), params)
        with torch.no_grad():
            for p, g in zip(params, grads):
                p -= self.inner_lr * g
        return self.fast

    def training_step(self, batch, batch_idx):
        x, y = batch
        half = len(x) // 2
        return F.mse_loss(self.adapt(x[:half], y[:half])(x[half:]), y[half:])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(368)
    x = torch.randn(16, 3, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "load_state_dict",
    "cause_alt": ["Module.load_state_dict", "state_dict", "unused"],
    "line_marker": "# <-- CAUSE",
    "params": ["meta.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
