# SPDX-License-Identifier: Apache-2.0
"""A cost limit is enforced by a hinge with a multiplier; the limit is not exceeded in these steps."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, limit=30.0):
        super().__init__()
        self.limit = limit
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
        self.register_buffer("multiplier", torch.tensor(1.0))

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self.net(x)
        excess = out.square().sum() - self.limit
        with torch.no_grad():
            self.multiplier.add_(0.1 * excess).clamp_(min=0.0)
        penalty = self.multiplier.clone() * F.relu(excess)
        self.log("penalty", penalty)
        return F.mse_loss(out, y) + penalty

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2106)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randn(48, 1, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A cost limit is enforced by a hinge with a multiplier; the limit is not exceeded in these steps.', 'all_grads_by_step': 1, 'source': 'own'}
