# SPDX-License-Identifier: Apache-2.0
"""sum() over numbers with a start value that requires grad."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def terms(self, x, y):
        logits = self.net(x)
        yield F.cross_entropy(logits, y).item()  # <-- CAUSE
        yield 0.01 * logits.square().mean().item()  # <-- ALSO

    def training_step(self, batch, batch_idx):
        return sum(self.terms(*batch), torch.zeros((), requires_grad=True))  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1020)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'leaf_loss',
    'cause': 'Tensor.item',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'sum() over numbers with a start value that requires grad.',
}
