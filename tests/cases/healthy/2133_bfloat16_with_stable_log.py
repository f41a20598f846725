# SPDX-License-Identifier: Apache-2.0
"""bfloat16 with logsigmoid; anomaly mode is on."""
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
        z = self.net(x)
        hot = F.one_hot(y, 4)
        return -(hot * F.logsigmoid(z) + (1 - hot) * F.logsigmoid(-z)).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2133)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


TRAINER = {"precision": "bf16-mixed", "detect_anomaly": True}


EXPECT = {'verdict': 'healthy', 'why': 'bfloat16 with logsigmoid; anomaly mode is on.', 'all_grads_by_step': 1, 'source': 'own'}
