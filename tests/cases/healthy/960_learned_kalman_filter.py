# SPDX-License-Identifier: Apache-2.0
"""Kalman filter with learned dynamics and noise, covariance propagated in Joseph form, likelihood by solve and slogdet."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.eye(2) + 0.05 * torch.randn(2, 2))
        self.h = nn.Parameter(torch.randn(1, 2))
        self.log_q, self.log_r = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))

    def nll(self, obs):
        x, p, eye, total = torch.zeros(2), torch.eye(2), torch.eye(2), 0.0
        q, r = torch.diag(self.log_q.exp()), torch.diag(self.log_r.exp())
        for y in obs:
            x, p = self.a @ x, self.a @ p @ self.a.T + q
            s = self.h @ p @ self.h.T + r
            innov = y - self.h @ x
            k = torch.linalg.solve(s, self.h @ p).T
            total = total + 0.5 * (torch.linalg.slogdet(s).logabsdet + innov @ torch.linalg.solve(s, innov))
            x = x + k @ innov
            p = (eye - k @ self.h) @ p @ (eye - k @ self.h).T + k @ r @ k.T
        return total

    def training_step(self, batch, batch_idx):
        (obs,) = batch
        return torch.stack([self.nll(o) for o in obs]).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(960)
    return DataLoader(TensorDataset(torch.randn(6, 5, 1, generator=g)), batch_size=2)


EXPECT = {'verdict': 'healthy', 'why': 'Kalman filter with learned dynamics and noise, covariance propagated in Joseph form, likelihood by solve and slogdet.', 'all_grads_by_step': 1, 'source': 'held'}
