# SPDX-License-Identifier: Apache-2.0
"""forward keeps the energy as a float attribute, the step adds it."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.out = nn.Linear(8, 4)

    def forward(self, x):
        h = self.enc(x)
        self.energy = float(h.square().mean())  # <-- CAUSE
        return self.out(h)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("energy", torch.tensor(self.energy))
        return loss + 0.01 * self.energy  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1300)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'Tensor.__float__',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'forward keeps the energy as a float attribute, the step adds it.',
    'term': 'energy',
}
