# SPDX-License-Identifier: Apache-2.0
"""Adversarial training: inputs require grad, the freeze for the attack is never undone."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, eps=0.1):
        super().__init__()
        self.eps = eps
        self.clf = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))

    def attack(self, x, y):
        for p in self.clf.parameters():
            p.requires_grad = False  # <-- CAUSE
        x = x.clone().requires_grad_(True)
        (g,) = torch.autograd.grad(F.cross_entropy(self.clf(x), y), x)
        return (x + self.eps * g.sign()).detach().requires_grad_(True)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.clf(self.attack(x, y)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(347)
    x = torch.randn(12, 5, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "requires_grad=False",
    "cause_alt": ["requires_grad_", "frozen"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
