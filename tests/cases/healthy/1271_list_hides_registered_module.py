# SPDX-License-Identifier: Apache-2.0
"""A list keeps a second name of a registered layer out of the state dict."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Part(nn.Module):
    def __init__(self, shared):
        super().__init__()
        self._shared = [shared]
        self.own = nn.Linear(8, 8)

    def forward(self, x):
        return self.own(self._shared[0](x).relu())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.shared = nn.Linear(6, 8)
        self.parts = nn.ModuleList([Part(self.shared) for _ in range(2)])
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(sum(p(x) for p in self.parts)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1271)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A list keeps a second name of a registered layer out of the state dict.',
    'all_grads_by_step': 1,
    'source': 'own',
}
