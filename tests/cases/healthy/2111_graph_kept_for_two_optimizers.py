# SPDX-License-Identifier: Apache-2.0
"""Manual: both losses share the trunk, the first backward keeps the graph, both optimizers step after the second."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.trunk, self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 4), nn.Linear(8, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        one, two = self.optimizers()
        h = self.trunk(x).tanh()
        one.zero_grad()
        two.zero_grad()
        self.manual_backward(F.cross_entropy(self.a(h), y), retain_graph=True)
        self.manual_backward(F.mse_loss(self.b(h), x))
        one.step()
        two.step()

    def configure_optimizers(self):
        return (torch.optim.Adam([*self.trunk.parameters(), *self.a.parameters()]),
                torch.optim.SGD(self.b.parameters(), lr=0.1))


def dataloader():
    g = torch.Generator().manual_seed(2111)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Manual: both losses share the trunk, the first backward keeps the graph, both optimizers step after the second.', 'all_grads_by_step': 1, 'source': 'own', 'steps': 6}
