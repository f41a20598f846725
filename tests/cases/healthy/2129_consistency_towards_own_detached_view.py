# SPDX-License-Identifier: Apache-2.0
"""The weak view's prediction is the detached target of the strong view."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Linear(12, 4))
        self.register_buffer("ensemble", torch.full((48, 4), 0.25))

    def training_step(self, batch, batch_idx):
        index, x, y = batch
        p = self.net(x).softmax(1)
        consistency = F.mse_loss(self.net(x + 0.2 * torch.randn_like(x)).softmax(1), p.detach())
        ensembled = F.mse_loss(p, self.ensemble[index])
        self.ensemble[index] = 0.6 * self.ensemble[index] + 0.4 * p.detach()
        self.log_dict({"consistency": consistency, "ensembled": ensembled})
        return F.nll_loss(p.log(), y) + consistency + ensembled

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2129)
    return DataLoader(TensorDataset(torch.arange(48), torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': "The weak view's prediction is the detached target of the strong view.", 'all_grads_by_step': 1, 'source': 'own'}
