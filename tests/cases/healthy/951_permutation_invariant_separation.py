# SPDX-License-Identifier: Apache-2.0
"""Speech separation with PIT: minimum over permutations; the chosen permutation is logged."""
import itertools

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def si_sdr(e, r, eps=1e-8):
    s = (e * r).sum(-1, keepdim=True) / (r.pow(2).sum(-1, keepdim=True) + eps) * r
    return 10 * torch.log10(s.pow(2).sum(-1) / ((e - s).pow(2).sum(-1) + eps) + eps)


class Model(pl.LightningModule):
    def __init__(self, n=2):
        super().__init__()
        self.n = n
        self.enc, self.dec = nn.Conv1d(1, 8, 8, 4), nn.ConvTranspose1d(8, 1, 8, 4)
        self.mask = nn.Sequential(nn.Conv1d(8, 16, 3, padding=1), nn.PReLU(), nn.Conv1d(16, 8 * n, 1))

    def training_step(self, batch, batch_idx):
        (src,) = batch
        h = self.enc(src.sum(1, keepdim=True))
        m = self.mask(h).view(len(src), self.n, 8, -1).sigmoid()
        est = self.dec((m * h[:, None]).flatten(0, 1)).view(len(src), self.n, -1)
        perms = list(itertools.permutations(range(self.n)))
        losses = torch.stack([-si_sdr(est[:, list(p)], src).mean(-1) for p in perms], 1)
        best, which = losses.min(1)
        self.log("swapped", which.float().mean())
        return best.mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(951)
    return DataLoader(TensorDataset(torch.randn(12, 2, 40, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Speech separation with PIT: minimum over permutations; the chosen permutation is logged.', 'all_grads_by_step': 1, 'source': 'held'}
