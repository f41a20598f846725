# SPDX-License-Identifier: Apache-2.0
"""Of two entries in a typed output, the one that was stopped for the memory is passed on."""
from typing import TypedDict
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Out(TypedDict):
    z: torch.Tensor
    z_stop: torch.Tensor


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(6, 8), nn.GELU())
        self.head = nn.Linear(8, 4)

    def encode(self, x) -> Out:
        z = self.enc(x)
        return Out(z=z, z_stop=z.detach())  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        match self.encode(x):
            case {"z_stop": z}:  # <-- ALSO
                logits = self.head(z)  # <-- ALSO
        return F.cross_entropy(logits, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1049)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Of two entries in a typed output, the one that was stopped for the memory is passed on.',
}
