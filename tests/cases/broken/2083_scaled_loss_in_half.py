# SPDX-License-Identifier: Apache-2.0
"""The loss is scaled by 2**16 after it was cast to half."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    scale = 65536.0

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.net(x), y).half()  # <-- ALSO
        return loss * self.scale  # <-- CAUSE

    def on_before_optimizer_step(self, optimizer):
        for p in self.parameters():
            p.grad /= self.scale

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2083)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'nonfinite', 'cause': 'overflow', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The loss is scaled by 2**16 after it was cast to half.', 'also_marker': '# <-- ALSO', 'loss_finite': False}
