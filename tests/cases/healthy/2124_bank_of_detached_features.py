# SPDX-License-Identifier: Apache-2.0
"""A queue keeps the detached features of earlier steps as negatives."""
import collections
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.bank = collections.deque(maxlen=3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a = F.normalize(self.enc(x), dim=1)
        b = F.normalize(self.enc(x + 0.1 * torch.randn_like(x)), dim=1)
        others = torch.cat([b, *self.bank])
        self.bank.append(b.detach())
        return F.cross_entropy(a @ others.T / 0.2, torch.arange(len(x)))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2124)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A queue keeps the detached features of earlier steps as negatives.', 'all_grads_by_step': 1, 'source': 'own', 'steps': 5}
