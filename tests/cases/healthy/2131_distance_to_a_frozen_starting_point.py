# SPDX-License-Identifier: Apache-2.0
"""L2-SP: at the start the distance to the frozen copy is zero, and so is its gradient."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.start = {n: p.detach().clone() for n, p in self.net.named_parameters()}

    def training_step(self, batch, batch_idx):
        x, y = batch
        drift = sum((p - self.start[n]).square().sum() for n, p in self.net.named_parameters())
        self.log("drift", drift)
        return F.cross_entropy(self.net(x), y) + 0.01 * drift

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2131)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'L2-SP: at the start the distance to the frozen copy is zero, and so is its gradient.', 'all_grads_by_step': 1, 'source': 'own'}
