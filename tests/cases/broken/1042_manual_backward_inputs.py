# SPDX-License-Identifier: Apache-2.0
"""The backward pass is restricted to the parameters of the head."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.enc = nn.Linear(6, 8)
        self.head = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        opt = self.optimizers()
        x, y = batch
        loss = F.mse_loss(self.head(self.enc(x).relu()), y)
        opt.zero_grad()
        self.manual_backward(loss, inputs=list(self.head.parameters()))  # <-- CAUSE
        opt.step()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1042)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'backward(inputs=)',
    'line_marker': '# <-- CAUSE',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The backward pass is restricted to the parameters of the head.',
}
