# SPDX-License-Identifier: Apache-2.0
"""Mixture of experts: the load-balancing term uses the counts of hard choices only."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MoE(nn.Module):
    def __init__(self, dim, n):
        super().__init__()
        self.router = nn.Linear(dim, n)
        self.experts = nn.ModuleList([nn.Linear(dim, dim) for _ in range(n)])

    def forward(self, x):
        prob = self.router(x).softmax(-1)
        out = torch.stack([e(x) for e in self.experts], dim=1)
        choice = prob.argmax(-1)  # <-- CAUSE
        load = torch.bincount(choice, minlength=len(self.experts)).float() / len(x)  # <-- ALSO
        balance = len(self.experts) * load.square().sum()
        return (prob.unsqueeze(-1) * out).sum(1), balance


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.moe = MoE(5, 3)
        self.out = nn.Linear(5, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h, balance = self.moe(x)
        self.log("balance", balance)
        return F.mse_loss(self.out(h).squeeze(-1), y) + 0.01 * balance

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(475)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.argmax",
    "cause_alt": ["torch.bincount"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "balance",
    "source": "own",
    "notes": "",
}
