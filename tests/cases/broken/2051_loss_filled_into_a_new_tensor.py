# SPDX-License-Identifier: Apache-2.0
"""The sum of the losses is a number that fills a new tensor made with requires_grad=True."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.heads = nn.Linear(6, 8), nn.ModuleList(nn.Linear(8, 4) for _ in range(2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.enc(x).relu()
        total = 0.0
        for head in self.heads:
            total += float(F.cross_entropy(head(h), y))  # <-- CAUSE
        return h.new_full((), total, requires_grad=True)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2051)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'leaf_loss', 'cause': 'float', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The sum of the losses is a number that fills a new tensor made with requires_grad=True.', 'also_marker': '# <-- ALSO'}
