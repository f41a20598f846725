# SPDX-License-Identifier: Apache-2.0
"""In bfloat16 the sigmoid of a confident logit is exactly one and log(1 - p) is infinite."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        nn.init.constant_(self.net.bias, 7.0)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = torch.sigmoid(self.net(x))
        hot = F.one_hot(y, 4)
        return -(hot * torch.log(p) + (1 - hot) * torch.log(1 - p)).mean()  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2082)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


TRAINER = {"precision": "bf16-mixed"}


EXPECT = {'verdict': 'broken', 'symptom': 'nonfinite', 'cause': 'torch.log', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'In bfloat16 the sigmoid of a confident logit is exactly one and log(1 - p) is infinite.', 'loss_finite': False}
