# SPDX-License-Identifier: Apache-2.0
"""The prediction takes the type of the integer target at the end of a chain."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.net(x).squeeze(-1).clamp(0, 3).type_as(y)  # <-- CAUSE
        return torch.sub(p, y).abs().float().mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1159)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.type_as',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': 'MeanAbsoluteError',
    'source': 'own',
    'notes': 'The prediction takes the type of the integer target at the end of a chain.',
}
