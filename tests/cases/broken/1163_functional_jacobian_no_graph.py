# SPDX-License-Identifier: Apache-2.0
"""jacobian() without create_graph gives a constant."""
from torch.autograd.functional import jacobian
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        fit = F.mse_loss(self.net(x), y)
        jac = jacobian(lambda inp: self.net(inp).sum(0), x)  # <-- CAUSE
        contract = jac.square().sum()
        self.log("contract", contract)
        return fit + 1e-2 * contract

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1163)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'torch.autograd.functional.jacobian',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'jacobian() without create_graph gives a constant.',
    'term': 'contract',
}
