# SPDX-License-Identifier: Apache-2.0
"""Spiking network: hard spikes in forward, sigmoid in backward by the detach trick; the reset is detached."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class LIF(nn.Module):
    def __init__(self):
        super().__init__()
        self.raw_beta = nn.Parameter(torch.tensor(2.0))

    def forward(self, cur, mem):
        mem = torch.sigmoid(self.raw_beta) * mem + cur
        soft = torch.sigmoid(5 * (mem - 1))
        spike = (mem > 1).float().detach() + soft - soft.detach()
        return spike, mem * (1 - spike.detach())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc1, self.lif1, self.fc2, self.lif2 = nn.Linear(6, 12), LIF(), nn.Linear(12, 3), LIF()

    def training_step(self, batch, batch_idx):
        x, y = batch
        m1, m2, count, rate = torch.zeros(len(x), 12), torch.zeros(len(x), 3), 0, 0
        for _ in range(6):
            s, m1 = self.lif1(self.fc1(x), m1)
            o, m2 = self.lif2(self.fc2(s), m2)
            count, rate = count + o, rate + s.detach().mean()
        self.log("rate", rate / 6)
        return F.cross_entropy(count, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(941)
    return DataLoader(TensorDataset(2 * torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Spiking network: hard spikes in forward, sigmoid in backward by the detach trick; the reset is detached.', 'all_grads_by_step': 1, 'source': 'held'}
