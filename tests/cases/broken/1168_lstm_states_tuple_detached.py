# SPDX-License-Identifier: Apache-2.0
"""The final states of the encoder LSTM are detached by a tuple comprehension before the decoder uses them."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.LSTM(6, 8, batch_first=True)
        self.dec = nn.LSTM(6, 8, batch_first=True)
        self.out = nn.Linear(8, 6)

    def training_step(self, batch, batch_idx):
        x, _ = batch
        _, state = self.enc(x)
        state = tuple(s.detach() for s in state)  # <-- CAUSE
        h, _ = self.dec(F.pad(x, (0, 0, 1, -1)), state)
        return F.mse_loss(self.out(h), x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1168)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The final states of the encoder LSTM are detached by a tuple comprehension before the decoder uses them.',
}
