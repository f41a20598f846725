# SPDX-License-Identifier: Apache-2.0
"""nn.MultiheadAttention with a sample whose keys are all padding."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.att = nn.MultiheadAttention(6, 2, batch_first=True)
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pad = torch.arange(5)[None] >= torch.arange(len(x))[:, None]  # <-- ALSO
        h, w = self.att(x, x, x, key_padding_mask=pad)  # <-- CAUSE
        return F.cross_entropy(self.out(h.mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1095)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'nonfinite',
    'cause': 'key_padding_mask',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'nn.MultiheadAttention with a sample whose keys are all padding.',
    'loss_finite': False,
}
