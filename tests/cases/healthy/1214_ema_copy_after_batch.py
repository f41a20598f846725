# SPDX-License-Identifier: Apache-2.0
"""A deep copy follows by .data.lerp_ after each batch and measures the distance under no_grad."""
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
        self.ema = copy.deepcopy(self.net).requires_grad_(False).eval()

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.net(x)
        with torch.no_grad():
            target = self.ema(x)
        return F.mse_loss(p, y) + 0.1 * F.mse_loss(p, target)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        for slow, fast in zip(self.ema.parameters(), self.net.parameters()):
            slow.data.lerp_(fast.data, 0.1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1214)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A deep copy follows by .data.lerp_ after each batch and measures the distance under no_grad.',
    'all_grads_by_step': 1,
    'source': 'own',
}
