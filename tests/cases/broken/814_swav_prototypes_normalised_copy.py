# SPDX-License-Identifier: Apache-2.0
"""SwAV: prototypes are normalised through weight.data, and this copy makes the logits."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 6))
        self.prototypes = nn.Linear(6, 10, bias=False)

    @torch.no_grad()
    def sinkhorn(self, scores, iters=3):
        q = torch.exp(scores / 0.1).t()
        q /= q.sum()
        for _ in range(iters):
            q /= q.sum(1, keepdim=True) * q.size(0)
            q /= q.sum(0, keepdim=True) * q.size(1)
        return (q * q.size(1)).t()

    def scores(self, x):
        w = self.prototypes.weight.data.clone()  # <-- CAUSE
        w = F.normalize(w, dim=1)
        return F.normalize(self.encoder(x), dim=1) @ w.t()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a, b = self.scores(x + 0.1 * torch.randn_like(x)), self.scores(x + 0.1 * torch.randn_like(x))
        qa, qb = self.sinkhorn(a), self.sinkhorn(b)
        la, lb = (a / 0.1).log_softmax(1), (b / 0.1).log_softmax(1)
        loss = -0.5 * ((qa * lb).sum(1) + (qb * la).sum(1)).mean()
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(814)
    return DataLoader(TensorDataset(torch.randn(24, 8, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.data', 'line_marker': '# <-- CAUSE', 'params': ['prototypes.weight'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
