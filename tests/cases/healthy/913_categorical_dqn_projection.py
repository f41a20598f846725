# SPDX-License-Identifier: Apache-2.0
"""C51: the target distribution is projected with floor, ceil, long and index_add under no_grad."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, atoms=11):
        super().__init__()
        self.register_buffer("z", torch.linspace(-2, 2, atoms))
        self.q = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2 * atoms))
        self.target = copy.deepcopy(self.q)
        for p in self.target.parameters():
            p.requires_grad = False

    @torch.no_grad()
    def project(self, s2, r, done):
        p = self.target(s2).view(len(s2), 2, -1).softmax(-1)
        best = (p * self.z).sum(-1).argmax(1)
        p = p[torch.arange(len(s2)), best]
        b = ((r[:, None] + 0.9 * (1 - done[:, None]) * self.z).clamp(-2, 2) + 2) / 0.4
        lo, up = b.floor().long().clamp(0, 10), b.ceil().long().clamp(0, 10)
        m = torch.zeros_like(p)
        off = (torch.arange(len(p)) * p.size(1))[:, None]
        m.view(-1).index_add_(0, (lo + off).flatten(), (p * (up.float() - b + (lo == up).float())).flatten())
        m.view(-1).index_add_(0, (up + off).flatten(), (p * (b - lo.float())).flatten())
        return m

    def training_step(self, batch, batch_idx):
        s, a, r, s2, done = batch
        logp = self.q(s).view(len(s), 2, -1).log_softmax(-1)[torch.arange(len(s)), a]
        loss = -(self.project(s2, r, done) * logp).sum(1)
        self.priorities = loss.detach().abs().tolist()
        return loss.mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(913)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), torch.randint(0, 2, (24,), generator=g), torch.randn(24, generator=g), torch.randn(24, 4, generator=g), torch.rand(24, generator=g).round()), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'C51: the target distribution is projected with floor, ceil, long and index_add under no_grad.', 'all_grads_by_step': 1, 'source': 'held'}
