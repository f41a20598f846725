# SPDX-License-Identifier: Apache-2.0
"""A network and a loss function compiled with aot_eager."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.net.compile(backend="aot_eager")
        self.criterion = torch.compile(self._criterion, backend="aot_eager")

    @staticmethod
    def _criterion(logits, y):
        margin = logits.gather(1, y[:, None]) - logits
        return F.relu(1 - margin).sum(1).mean()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.criterion(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1203)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A network and a loss function compiled with aot_eager.',
    'all_grads_by_step': 1,
    'source': 'own',
}
