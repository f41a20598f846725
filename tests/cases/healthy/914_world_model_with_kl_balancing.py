# SPDX-License-Identifier: Apache-2.0
"""Recurrent world model: straight-through categorical states, KL balanced by detaching each side once, free bits below the KL."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, groups=3, classes=4):
        super().__init__()
        self.g, self.c = groups, classes
        n = groups * classes
        self.cell = nn.GRUCell(n + 2, 8)
        self.prior, self.post, self.dec = nn.Linear(8, n), nn.Linear(8 + 6, n), nn.Linear(8 + n, 6)

    def dist(self, logits):
        p = logits.view(-1, self.g, self.c).softmax(-1)
        return 0.99 * p + 0.01 / self.c

    def sample(self, p):
        hard = torch.distributions.OneHotCategorical(probs=p).sample()
        return (hard + p - p.detach()).flatten(1)

    def kl(self, p, q):
        return (p * (p.log() - q.log())).sum((-1, -2)).mean()

    def training_step(self, batch, batch_idx):
        obs, act = batch
        h, z, loss = torch.zeros(len(obs), 8), torch.zeros(len(obs), self.g * self.c), 0.0
        for t in range(obs.size(1)):
            h = self.cell(torch.cat([z, act[:, t]], 1), h)
            prior, post = self.dist(self.prior(h)), self.dist(self.post(torch.cat([h, obs[:, t]], 1)))
            z = self.sample(post)
            rec = F.mse_loss(self.dec(torch.cat([h, z], 1)), obs[:, t])
            dyn, rep = self.kl(post.detach(), prior), self.kl(post, prior.detach())
            loss = loss + rec + 0.5 * dyn.clamp(min=1e-4) + 0.1 * rep.clamp(min=1e-4)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(914)
    return DataLoader(TensorDataset(torch.randn(12, 4, 6, generator=g), torch.randn(12, 4, 2, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Recurrent world model: straight-through categorical states, KL balanced by detaching each side once, free bits below the KL.', 'all_grads_by_step': 1, 'source': 'held'}
