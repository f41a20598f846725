# SPDX-License-Identifier: Apache-2.0
"""Blocks append the size of their output to a global list, as numbers."""
from contextvars import ContextVar
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


AUX: ContextVar[list] = ContextVar("aux")


class Block(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.fc = nn.Linear(i, o)

    def forward(self, x):
        h = self.fc(x)
        AUX.get().append(h.square().mean().item())  # <-- CAUSE
        return h.relu()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(Block(6, 8), Block(8, 8), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        AUX.set([])
        loss = F.cross_entropy(self.net(x), y)
        aux = torch.tensor(AUX.get()).mean()  # <-- ALSO
        self.log("aux", aux)
        return loss + 0.01 * aux

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1166)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'Tensor.item',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'Blocks append the size of their output to a global list, as numbers.',
    'term': 'aux',
}
