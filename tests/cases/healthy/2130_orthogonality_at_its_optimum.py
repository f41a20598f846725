# SPDX-License-Identifier: Apache-2.0
"""The layer starts as the identity: the orthogonality penalty and its gradient are zero in the first step."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mix, self.cls = nn.Linear(6, 6, bias=False), nn.Linear(6, 4)
        nn.init.eye_(self.mix.weight)

    def training_step(self, batch, batch_idx):
        x, y = batch
        w = self.mix.weight
        ortho = (w @ w.T - torch.eye(6)).square().sum()
        self.log("ortho", ortho)
        return F.cross_entropy(self.cls(self.mix(x)), y) + ortho

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2130)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The layer starts as the identity: the orthogonality penalty and its gradient are zero in the first step.', 'all_grads_by_step': 1, 'source': 'own'}
