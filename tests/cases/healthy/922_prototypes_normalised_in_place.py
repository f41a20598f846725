# SPDX-License-Identifier: Apache-2.0
"""SwAV with a queue: prototypes are normalised in place under no_grad, codes by sinkhorn under no_grad from detached scores."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 6))
        self.prototypes = nn.Linear(6, 10, bias=False)
        self.register_buffer("queue", F.normalize(torch.randn(16, 6), dim=1))

    @torch.no_grad()
    def codes(self, scores):
        q = torch.exp(scores / 0.05).t()
        for _ in range(3):
            q = q / q.sum(1, keepdim=True) / q.size(0)
            q = q / q.sum(0, keepdim=True) / q.size(1)
        return (q * q.size(1)).t()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        with torch.no_grad():
            w = self.prototypes.weight.data.clone()
            self.prototypes.weight.copy_(F.normalize(w, dim=1, p=2))
        za, zb = (F.normalize(self.enc(x + 0.1 * torch.randn_like(x)), dim=1) for _ in range(2))
        sa, sb = self.prototypes(za), self.prototypes(zb)
        with torch.no_grad():
            old = self.queue @ self.prototypes.weight.t()
            qa = self.codes(torch.cat([sa.detach(), old]))[: len(x)]
            qb = self.codes(torch.cat([sb.detach(), old]))[: len(x)]
            self.queue = torch.cat([za.detach(), self.queue[: -len(x)]])
        return -0.5 * ((qa * (sb / 0.1).log_softmax(1)).sum(1) + (qb * (sa / 0.1).log_softmax(1)).sum(1)).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(922)
    return DataLoader(TensorDataset(torch.randn(24, 8, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'SwAV with a queue: prototypes are normalised in place under no_grad, codes by sinkhorn under no_grad from detached scores.', 'all_grads_by_step': 1, 'source': 'held'}
