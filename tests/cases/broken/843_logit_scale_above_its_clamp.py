# SPDX-License-Identifier: Apache-2.0
"""CLIP: the learned temperature is clamped at 100 but initialised at 200; it never moves."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Tower(nn.Module):
    def __init__(self, n_in, dim=8):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(n_in, 16), nn.GELU(), nn.Linear(16, dim))

    def forward(self, x):
        return F.normalize(self.net(x), dim=-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.image, self.text = Tower(10), Tower(6)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(200.0)))

    def training_step(self, batch, batch_idx):
        img, txt = batch
        scale = self.logit_scale.exp().clamp(max=100.0)  # <-- CAUSE
        logits = scale * self.image(img) @ self.text(txt).t()
        target = torch.arange(len(img))
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.t(), target)) / 2

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(843)
    return DataLoader(TensorDataset(torch.randn(24, 10, generator=g), torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'clamp', 'line_marker': '# <-- CAUSE', 'params': ['logit_scale'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'zero'}
