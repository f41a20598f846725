# SPDX-License-Identifier: Apache-2.0
"""Spiking network: leaky integrate and fire with a plain comparison; the layer before the spikes is dead."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class LIF(nn.Module):
    def __init__(self, beta=0.9, thr=1.0):
        super().__init__()
        self.beta, self.thr = beta, thr

    def forward(self, cur, mem):
        mem = self.beta * mem + cur
        spike = (mem > self.thr).float()  # <-- CAUSE
        return spike, mem - spike * self.thr


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(6, 12), LIF()
        self.readout = nn.Linear(12, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        mem = torch.zeros(len(x), 12)
        out = torch.zeros(len(x), 3)
        for _ in range(8):
            spk, mem = self.lif1(self.fc1(x), mem)
            out = 0.95 * out + self.readout(spk)
        return F.cross_entropy(out, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(833)
    return DataLoader(TensorDataset(3 * torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.gt', 'line_marker': '# <-- CAUSE', 'params': ['fc1.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
