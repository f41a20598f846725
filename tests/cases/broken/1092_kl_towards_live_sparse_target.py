# SPDX-License-Identifier: Apache-2.0
"""The target of a KL term is learned too and has exact zeros."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.prior = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        floor = torch.tensor([0.0, 0.0, 0.0, -torch.inf])
        q = (self.prior(x) + floor).softmax(-1)
        match = F.kl_div(logits.log_softmax(-1), q, reduction="batchmean")  # <-- CAUSE
        return F.cross_entropy(logits, y) + match

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1092)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'nonfinite',
    'cause': 'F.kl_div',
    'line_marker': '# <-- CAUSE',
    'params': ['prior.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The target of a KL term is learned too and has exact zeros.',
    'loss_finite': True,
}
