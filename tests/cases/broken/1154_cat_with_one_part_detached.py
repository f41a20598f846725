# SPDX-License-Identifier: Apache-2.0
"""One of three inputs of a multi-line cat is detached."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.main = nn.Linear(6, 8)
        self.side = nn.Linear(6, 8)
        self.head = nn.Linear(22, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = torch.cat(
            [
                self.main(x).relu(),
                self.side(x).relu().detach(),  # <-- CAUSE
                x,
            ],
            dim=1,
        )
        return F.cross_entropy(self.head(z), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1154)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['side.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'One of three inputs of a multi-line cat is detached.',
}
