# SPDX-License-Identifier: Apache-2.0
"""A helper method adds numbers to self.total, the step makes a tensor of it."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.total = 0.0

    def collect(self, scores, y):
        for fn, w in ((F.cross_entropy, 1.0), (F.multi_margin_loss, 0.5)):
            self.total += w * fn(scores, y).item()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.total = 0.0
        self.collect(self.net(x), y)
        return torch.tensor(self.total)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1301)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.item',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A helper method adds numbers to self.total, the step makes a tensor of it.',
}
