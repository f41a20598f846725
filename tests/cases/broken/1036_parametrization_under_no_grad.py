# SPDX-License-Identifier: Apache-2.0
"""A normalising parametrization was decorated with no_grad."""
from torch.nn.utils import parametrize
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class UnitRows(nn.Module):
    @torch.no_grad()  # <-- CAUSE
    def forward(self, w):
        return w / w.norm(dim=1, keepdim=True)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        parametrize.register_parametrization(self.fc, "weight", UnitRows())
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(torch.relu(self.fc(x))), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1036)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'torch.no_grad',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['fc.parametrizations.weight.original'],
    'metric_like': None,
    'source': 'own',
    'notes': 'A normalising parametrization was decorated with no_grad.',
}
