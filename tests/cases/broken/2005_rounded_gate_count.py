# SPDX-License-Identifier: Apache-2.0
"""The sparsity budget counts rounded gates; the derivative of round is zero."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.linspace(-1, 1, 8))
        self.inp, self.out = nn.Linear(6, 8), nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        gate = torch.sigmoid(self.gate)
        open_gates = gate.round().mean()  # <-- CAUSE
        logits = self.out(torch.relu(self.inp(x)) * gate)
        self.log("open", open_gates)
        return F.cross_entropy(logits, y) + 0.5 * (open_gates - 0.25).square()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2005)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'torch.round', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The sparsity budget counts rounded gates; the derivative of round is zero.', 'term': 'open'}
