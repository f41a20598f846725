# SPDX-License-Identifier: Apache-2.0
"""A forward hook stores the spread of the features in a dict on the module."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.out = nn.Linear(6, 8), nn.Linear(8, 1)
        self.stats = {}
        self.enc.register_forward_hook(self._note)

    def _note(self, module, args, output):
        self.stats["spread"] = output.detach().numpy().std()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.out(self.enc(x).relu())
        reg = torch.as_tensor(1.0 - self.stats["spread"])  # <-- ALSO
        self.log("reg", reg)
        return F.mse_loss(p, y) + 0.1 * reg

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1302)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'Tensor.numpy',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A forward hook stores the spread of the features in a dict on the module.',
    'term': 'reg',
}
