# SPDX-License-Identifier: Apache-2.0
"""In a refinement loop the state is replaced by its .data before every update."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.init = nn.Linear(6, 8)
        self.update = nn.Linear(8, 8)
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z, i = self.init(x), 0
        while i < 3:
            z = z.data; z = z + torch.tanh(self.update(z))  # <-- CAUSE
            i += 1
        return F.mse_loss(self.out(z), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1046)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.data',
    'line_marker': '# <-- CAUSE',
    'params': ['init.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'In a refinement loop the state is replaced by its .data before every update.',
}
