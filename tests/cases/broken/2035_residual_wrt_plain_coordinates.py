# SPDX-License-Identifier: Apache-2.0
"""The derivative is asked for at coordinates that were never marked."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 1))

    def residual(self, x):
        u = self.net(x)
        du = torch.autograd.grad(u.sum(), x, create_graph=True)[0]  # <-- CAUSE
        return du[:, :1] + u * du[:, 1:]

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return self.residual(x[:, :2]).square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2035)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'autograd.grad', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The derivative is asked for at coordinates that were never marked.', 'error': 'One of the differentiated Tensors does not require grad'}
