# SPDX-License-Identifier: Apache-2.0
"""A static method that normalises is decorated with no_grad."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.head = nn.Linear(6, 8), nn.Linear(8, 4)

    @staticmethod
    @torch.no_grad()  # <-- CAUSE
    def _normalise(h, *, eps=1e-6):
        return h / (h.norm(dim=1, keepdim=True) + eps)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self._normalise(self.enc(x))), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1308)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'torch.no_grad',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A static method that normalises is decorated with no_grad.',
}
