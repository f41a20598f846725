# SPDX-License-Identifier: Apache-2.0
"""The checkpointed function depends on a counter, so the recomputation saves other tensors."""
from torch.utils.checkpoint import checkpoint
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 1)
        self.calls = 0

    def block(self, x):
        self.calls += 1
        h = self.a(x)
        return torch.tanh(h).relu() if self.calls % 2 else torch.tanh(h)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = checkpoint(self.block, x, use_reentrant=False)  # <-- CAUSE
        return F.mse_loss(self.b(h), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1133)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'backward_error',
    'cause': 'checkpoint',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'The checkpointed function depends on a counter, so the recomputation saves other tensors.',
    'error': 'checkpoint',
}
