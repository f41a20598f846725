# SPDX-License-Identifier: Apache-2.0
"""The spectral penalty is computed from weight.data by power iteration."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 10), nn.Tanh(), nn.Linear(10, 1))

    def spectral(self):
        total = 0.0
        for layer in self.net:
            if isinstance(layer, nn.Linear):
                w = layer.weight.data  # <-- CAUSE
                v = torch.ones(w.size(1))
                for _ in range(3):
                    u = F.normalize(w @ v, dim=0)
                    v = F.normalize(w.T @ u, dim=0)
                total = total + torch.dot(u, w @ v)
        return total

    def training_step(self, batch, batch_idx):
        x, y = batch
        lipschitz = self.spectral()
        self.log("lipschitz", lipschitz)
        return F.mse_loss(self.net(x), y) + 0.05 * lipschitz

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2003)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randn(48, 1, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'Tensor.data', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The spectral penalty is computed from weight.data by power iteration.', 'term': 'lipschitz'}
