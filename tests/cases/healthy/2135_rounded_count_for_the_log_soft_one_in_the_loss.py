# SPDX-License-Identifier: Apache-2.0
"""The rounded gate count is shown; the expected count is penalised."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.linspace(-1, 1, 8))
        self.inp, self.out = nn.Linear(6, 8), nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        gate = torch.sigmoid(self.gate)
        hard = gate.round()
        through = gate + (hard - gate).detach()
        self.log("open", hard.mean())
        loss = F.cross_entropy(self.out(torch.relu(self.inp(x)) * through), y)
        return loss + 0.5 * (gate.mean() - 0.25).square()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2135)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The rounded gate count is shown; the expected count is penalised.', 'all_grads_by_step': 1, 'source': 'own'}
