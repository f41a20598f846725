# SPDX-License-Identifier: Apache-2.0
"""L0 regularisation by hard concrete gates in their open range; the expected number of gates is penalised."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class L0(nn.Module):
    def __init__(self, n, lo=-0.1, hi=1.1, beta=2 / 3):
        super().__init__()
        self.log_alpha = nn.Parameter(torch.randn(n) * 0.01 + 1.0)
        self.lo, self.hi, self.beta = lo, hi, beta

    def forward(self, x):
        u = torch.rand_like(self.log_alpha).clamp(1e-4, 1 - 1e-4)
        s = torch.sigmoid((torch.log(u) - torch.log(1 - u) + self.log_alpha) / self.beta)
        return x * (s * (self.hi - self.lo) + self.lo).clamp(0, 1)

    def penalty(self):
        return torch.sigmoid(self.log_alpha - self.beta * math.log(-self.lo / self.hi)).sum()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc1, self.gate, self.fc2 = nn.Linear(6, 12), L0(12), nn.Linear(12, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.fc2(self.gate(self.fc1(x).relu())), y)
        self.log("open", (self.gate.log_alpha > 0).float().mean())
        return loss + 1e-3 * self.gate.penalty()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(952)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'L0 regularisation by hard concrete gates in their open range; the expected number of gates is penalised.', 'all_grads_by_step': 1, 'source': 'held'}
