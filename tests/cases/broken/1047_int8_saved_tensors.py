# SPDX-License-Identifier: Apache-2.0
"""Activations are saved as int8: inputs below one come back as zero, so the first weight gets a zero gradient."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def pack(t):
    return t.detach().to(torch.int8)  # <-- ALSO


def unpack(t):
    return t.float()  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8))
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        with torch.autograd.graph.saved_tensors_hooks(pack, unpack):  # <-- CAUSE
            h = self.net(x)  # <-- ALSO
        return F.mse_loss(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1047)
    return DataLoader(TensorDataset(torch.rand(24, 6, generator=g), torch.rand(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'saved_tensors_hooks',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['net.0.weight'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Activations are saved as int8: inputs below one come back as zero, so the first weight gets a zero gradient.',
}
