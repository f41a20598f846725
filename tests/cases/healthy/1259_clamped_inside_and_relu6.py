# SPDX-License-Identifier: Apache-2.0
"""clamp, hardtanh, relu6 and hardsigmoid well inside their ranges."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(16, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        a = F.hardtanh(self.a(x), -9, 9).clamp(-8, 8)
        b = F.relu6(self.b(x)) * F.hardsigmoid(a)
        return F.mse_loss(self.out(torch.cat([a, b], 1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1259)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'clamp, hardtanh, relu6 and hardsigmoid well inside their ranges.',
    'all_grads_by_step': 1,
    'source': 'own',
}
