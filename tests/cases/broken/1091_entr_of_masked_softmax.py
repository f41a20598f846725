# SPDX-License-Identifier: Apache-2.0
"""The entropy bonus uses entr on probabilities that a mask has set to exactly zero."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def policy(self, x):
        allowed = torch.ones(4, dtype=torch.bool).index_fill_(0, torch.tensor([3]), False)
        return torch.where(allowed, self.net(x), -torch.inf).softmax(-1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.policy(x)
        bonus = torch.special.entr(p).sum(-1).mean()  # <-- CAUSE
        return -(p.clamp_min(1e-8).log().gather(1, y[:, None] % 3)).mean() - 0.01 * bonus

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1091)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'nonfinite',
    'cause': 'torch.special.entr',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'The entropy bonus uses entr on probabilities that a mask has set to exactly zero.',
    'loss_finite': True,
}
