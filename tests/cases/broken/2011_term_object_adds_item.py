# SPDX-License-Identifier: Apache-2.0
"""A term object is added by its __radd__, which reads the number."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Term:
    def __init__(self, weight, value):
        self.weight, self.value = weight, value

    def __radd__(self, other):
        return other + self.weight * self.value.item()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mu, self.logvar, self.dec = nn.Linear(6, 3), nn.Linear(6, 3), nn.Linear(3, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mu, logvar = self.mu(x), self.logvar(x)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()
        terms = [F.mse_loss(self.dec(z), x), Term(0.5, kl)]
        self.log("kl", kl.detach())
        return sum(terms[1:], terms[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2011)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'Tensor.item', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A term object is added by its __radd__, which reads the number.', 'term': 'kl'}
