# SPDX-License-Identifier: Apache-2.0
"""The losses are stacked into an nn.ParameterList-like tensor to be weighted; the sum is a new leaf's."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 4), nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        losses = [F.cross_entropy(self.a(x), y), F.mse_loss(self.b(x).squeeze(1), y.float())]
        table = torch.empty(2)
        for i, value in enumerate(losses):
            table[i] = value.detach()  # <-- CAUSE
        table = table.requires_grad_()  # <-- ALSO
        return (table * torch.tensor([1.0, 0.5])).sum()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2313)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'leaf_loss', 'cause': 'detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': "The losses are stacked into an nn.ParameterList-like tensor to be weighted; the sum is a new leaf's.", 'also_marker': '# <-- ALSO'}
