# SPDX-License-Identifier: Apache-2.0
"""A per-sample zero-one loss mapped over the batch."""
from torch.func import vmap
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def miss(scores, label):
    best = scores.argmax(-1)  # <-- CAUSE
    return 1.0 - (best == label).float()  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return vmap(miss)(self.net(x), y).mean()  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1001)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.argmax',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': 'MulticlassAccuracy',
    'source': 'own',
    'notes': 'A per-sample zero-one loss mapped over the batch.',
}
