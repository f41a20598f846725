# SPDX-License-Identifier: Apache-2.0
"""An early return in forward skips the normalisation in every training step."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(6, 8, batch_first=True)
        self.skip_norm = nn.LayerNorm(8)  # <-- ALSO
        self.out = nn.Linear(8, 4)

    def forward(self, x):
        h = self.rnn(x)[0][:, -1]
        if self.training:
            return self.out(h)  # <-- CAUSE
        return self.out(self.skip_norm(h))  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1140)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'unused',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['skip_norm.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'An early return in forward skips the normalisation in every training step.',
}
