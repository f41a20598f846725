# SPDX-License-Identifier: Apache-2.0
"""Survival: Cox partial likelihood over samples sorted by time, concordance counted for the log."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 12), nn.SELU(), nn.Linear(12, 1, bias=False))

    def training_step(self, batch, batch_idx):
        x, time, event = batch
        risk = self.net(x).squeeze(-1)
        order = torch.argsort(time, descending=True)
        r, e = risk[order], event[order].bool()
        ll = (r - torch.logcumsumexp(r, 0))[e]
        pairs = (time[:, None] < time) & event[:, None].bool()
        c = ((risk[:, None] > risk)[pairs]).float().mean()
        self.log("cindex", c)
        return -ll.mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(938)
    e = torch.ones(36)
    e[::3] = 0
    return DataLoader(TensorDataset(torch.randn(36, 5, generator=g), torch.rand(36, generator=g), e), batch_size=12)


EXPECT = {'verdict': 'healthy', 'why': 'Survival: Cox partial likelihood over samples sorted by time, concordance counted for the log.', 'all_grads_by_step': 1, 'source': 'held'}
