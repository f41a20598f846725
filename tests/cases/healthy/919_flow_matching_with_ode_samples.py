# SPDX-License-Identifier: Apache-2.0
"""Flow matching; an Euler sampler under inference mode runs inside training_step for the log."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.v = nn.Sequential(nn.Linear(3, 24), nn.SiLU(), nn.Linear(24, 2))

    def velocity(self, x, t):
        return self.v(torch.cat([x, t.expand(len(x), 1)], 1))

    @torch.inference_mode()
    def sample(self, n, steps=5):
        x = torch.randn(n, 2)
        for i in range(steps):
            x = x + self.velocity(x, torch.tensor([[i / steps]])) / steps
        return x

    def training_step(self, batch, batch_idx):
        (x1,) = batch
        x0, t = torch.randn_like(x1), torch.rand(len(x1), 1)
        xt = (1 - t) * x0 + t * x1
        loss = (self.v(torch.cat([xt, t], 1)) - (x1 - x0)).pow(2).mean()
        self.log("sample_std", self.sample(16).std())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(919)
    return DataLoader(TensorDataset(torch.randn(24, 2, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Flow matching; an Euler sampler under inference mode runs inside training_step for the log.', 'all_grads_by_step': 1, 'source': 'held'}
