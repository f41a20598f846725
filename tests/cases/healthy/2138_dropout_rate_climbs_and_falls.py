# SPDX-License-Identifier: Apache-2.0
"""The dropout rate reaches one in one step and falls again."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 8), nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        rate = (0.1, 0.5, 1.0, 0.5)[batch_idx % 4]
        h = F.dropout(self.enc(x).tanh(), p=rate)
        return F.cross_entropy(self.cls(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2138)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The dropout rate reaches one in one step and falls again.', 'all_grads_by_step': 1, 'source': 'own', 'steps': 6}
