# SPDX-License-Identifier: Apache-2.0
"""The checkpointed block fills a cache on its first run, so the recomputation saves fewer tensors."""
import torch.utils.checkpoint
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(dim, dim))
        self.cache = None

    def forward(self, x):
        if self.cache is None:
            self.cache = F.normalize(self.weight, dim=1)  # <-- ALSO
        return torch.tanh(x @ self.cache)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp, self.block, self.out = nn.Linear(6, 6), Block(6), nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.utils.checkpoint.checkpoint(self.block, self.inp(x), use_reentrant=False)  # <-- CAUSE
        return F.cross_entropy(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2038)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'checkpoint', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The checkpointed block fills a cache on its first run, so the recomputation saves fewer tensors.', 'also_marker': '# <-- ALSO', 'error': 'torch.utils.checkpoint'}
