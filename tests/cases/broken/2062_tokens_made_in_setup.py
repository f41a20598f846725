# SPDX-License-Identifier: Apache-2.0
"""Learned tokens are made in setup as a list of tensors that require grad."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mix, self.cls = nn.Linear(6, 6), nn.Linear(6, 4)

    def setup(self, stage):
        self.tokens = [torch.randn(1, 6).requires_grad_() for _ in range(2)]  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        prompt = torch.cat(self.tokens).expand(len(x), -1, -1)
        h = self.mix(torch.cat([prompt, x], 1)).relu().mean(1)
        return F.cross_entropy(self.cls(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2062)
    return DataLoader(TensorDataset(torch.randn(48, 5, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'not_registered', 'cause': 'list', 'line_marker': '# <-- CAUSE', 'params': ['tokens*'], 'metric_like': None, 'source': 'own', 'notes': 'Learned tokens are made in setup as a list of tensors that require grad.'}
