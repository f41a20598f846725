# SPDX-License-Identifier: Apache-2.0
"""The KL is summed as a Python float over the layers by a module that reports it."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Noisy(nn.Module):
    def __init__(self, a, b):
        super().__init__()
        self.mu, self.rho = nn.Parameter(0.1 * torch.randn(b, a)), nn.Parameter(torch.full((b, a), -2.0))

    def kl(self):
        s = F.softplus(self.rho)
        return (0.5 * (s.square() + self.mu.square() - 1) - s.log()).mean()

    def forward(self, x):
        return F.linear(x, self.mu + F.softplus(self.rho) * torch.randn_like(self.mu))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(Noisy(6, 8), nn.ReLU(), Noisy(8, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        kl = 0.0
        for m in self.net:
            if hasattr(m, "kl"):
                kl += m.kl().cpu().detach().numpy().item()  # <-- CAUSE
        self.log("kl", torch.tensor(kl))
        return F.cross_entropy(self.net(x), y).add(kl, alpha=0.01)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2305)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'numpy', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The KL is summed as a Python float over the layers by a module that reports it.', 'term': 'kl'}
