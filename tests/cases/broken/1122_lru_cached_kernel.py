# SPDX-License-Identifier: Apache-2.0
"""A cached factory makes learned kernels that no module owns."""
from functools import lru_cache
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


@lru_cache
def kernel(width):
    return torch.randn(1, 1, width, requires_grad=True)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        kernel.cache_clear() if batch_idx < 0 else None
        s = F.conv1d(x.mean(1, keepdim=True), kernel(3), padding=1)  # <-- ALSO
        return F.cross_entropy(self.out(s.squeeze(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1122)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'not_registered',
    'cause': 'requires_grad',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A cached factory makes learned kernels that no module owns.',
}
