# SPDX-License-Identifier: Apache-2.0
"""One row of a learned table is written in place in the step."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.table = nn.Parameter(torch.randn(7, 6))
        self.cls = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.table[0] += x.mean((0, 1))  # <-- CAUSE
        return F.cross_entropy(self.cls((x + self.table[: x.size(1)]).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2031)
    return DataLoader(TensorDataset(torch.randn(48, 5, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'inplace', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'One row of a learned table is written in place in the step.', 'error': 'leaf Variable that requires grad is being used in an in-place'}
