# SPDX-License-Identifier: Apache-2.0
"""A table of penalties holds one that counts decisions; all are weighted and summed by math.fsum-like code."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.table = {
            "ridge": (1e-2, lambda w, p: w.square().sum()),
            "switch": (0.1, lambda w, p: (p.argmax(1)[1:] != p.argmax(1)[:-1]).double().mean()),  # <-- CAUSE
        }

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.net(x).softmax(1)
        loss = F.nll_loss(p.log(), y)
        for name, (weight, penalty) in self.table.items():
            value = penalty(self.net.weight, p)
            self.log(name, value)
            loss += weight * value
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2016)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'torch.argmax', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A table of penalties holds one that counts decisions; all are weighted and summed by math.fsum-like code.', 'term': 'switch'}
