# SPDX-License-Identifier: Apache-2.0
"""The dropout rate grows with the step until everything is dropped."""
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
        rate = min(1.0, 0.4 * self.global_step)
        h = F.dropout(self.enc(x).tanh(), p=rate)  # <-- CAUSE
        return F.cross_entropy(self.cls(h), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(2081)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'zero', 'cause': 'torch.dropout', 'line_marker': '# <-- CAUSE', 'params': ['enc.*', 'cls.weight'], 'metric_like': None, 'source': 'own', 'notes': 'The dropout rate grows with the step until everything is dropped.', 'onset_step': 4, 'steps': 7}
