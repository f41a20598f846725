# SPDX-License-Identifier: Apache-2.0
"""AdaptiveLogSoftmaxWithLoss with targets from every cluster in each batch."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 8)
        self.soft = nn.AdaptiveLogSoftmaxWithLoss(8, 12, cutoffs=[4, 8], div_value=2.0)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.soft(self.net(x).relu(), y).loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1222)
    y = torch.arange(24) * 5 % 12
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), y), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'AdaptiveLogSoftmaxWithLoss with targets from every cluster in each batch.',
    'all_grads_by_step': 1,
    'source': 'own',
}
