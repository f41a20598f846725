# SPDX-License-Identifier: Apache-2.0
"""World model: clamp(kl, min=free_nats) is far above any KL, so the prior gets exactly zero."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, free_nats=50.0):
        super().__init__()
        self.free_nats = free_nats
        self.cell = nn.GRUCell(4 + 2, 8)
        self.prior = nn.Linear(8, 8)
        self.post = nn.Linear(8 + 6, 8)
        self.dec = nn.Linear(8 + 4, 6)

    def stats(self, layer, x):
        mean, std = layer(x).chunk(2, -1)
        return torch.distributions.Normal(mean, F.softplus(std) + 0.1)

    def training_step(self, batch, batch_idx):
        obs, act = batch
        h, z = torch.zeros(len(obs), 8), torch.zeros(len(obs), 4)
        rec, kl = 0.0, 0.0
        for t in range(obs.size(1)):
            h = self.cell(torch.cat([z, act[:, t]], -1), h)
            prior, post = self.stats(self.prior, h), self.stats(self.post, torch.cat([h, obs[:, t]], -1))
            z = post.rsample()
            rec = rec + F.mse_loss(self.dec(torch.cat([h, z], -1)), obs[:, t])
            kl = kl + torch.distributions.kl_divergence(post, prior).sum(-1).mean()
        kl = torch.clamp(kl / obs.size(1), min=self.free_nats)  # <-- CAUSE
        self.log_dict({"rec": rec, "kl": kl})
        return rec + kl

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(811)
    return DataLoader(TensorDataset(torch.randn(12, 4, 6, generator=g), torch.randn(12, 4, 2, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'torch.clamp', 'line_marker': '# <-- CAUSE', 'params': ['prior.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'zero'}
