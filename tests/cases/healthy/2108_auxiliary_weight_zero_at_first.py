# SPDX-License-Identifier: Apache-2.0
"""The auxiliary head has weight 0 for two steps and a positive one after them."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.cls, self.aux = nn.Linear(6, 8), nn.Linear(8, 4), nn.Linear(8, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x).tanh()
        weight = min(1.0, max(0, self.global_step - 1) / 2)
        aux = F.mse_loss(self.aux(h), x)
        self.log("aux", weight * aux)
        return F.cross_entropy(self.cls(h), y) + weight * aux

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2108)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The auxiliary head has weight 0 for two steps and a positive one after them.', 'all_grads_by_step': 3, 'source': 'own', 'late': {'aux.*': 3}, 'steps': 5}
