# SPDX-License-Identifier: Apache-2.0
"""The loop over the tasks stops one too early."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    TASKS = ("mean", "spread", "size")

    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.heads = nn.ModuleDict({t: nn.Linear(8, 1) for t in self.TASKS})  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.trunk(x).relu()
        outs = {t: self.heads[t](h) for t in self.TASKS[:-1]}  # <-- CAUSE
        return torch.stack([F.mse_loss(o, y) for o in outs.values()]).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1031)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'unused',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['heads.size.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The loop over the tasks stops one too early.',
}
