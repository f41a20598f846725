# SPDX-License-Identifier: Apache-2.0
"""A home-made context manager that switches gradients off is used in the training step."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Deterministic:
    def __init__(self, module):
        self.module = module

    def __enter__(self):
        self.mode, self.grad = self.module.training, torch.is_grad_enabled()
        self.module.eval()
        torch.set_grad_enabled(False)  # <-- CAUSE
        return self.module

    def __exit__(self, *exc):
        self.module.train(self.mode)
        torch.set_grad_enabled(self.grad)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.2), nn.ReLU(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        with Deterministic(self.net) as net:  # <-- ALSO
            out = net(x).squeeze(1)  # <-- ALSO
        return F.smooth_l1_loss(out, y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(618)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "set_grad_enabled",
    "cause_alt": ["torch.set_grad_enabled", "no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
