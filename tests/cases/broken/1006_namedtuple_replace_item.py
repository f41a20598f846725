# SPDX-License-Identifier: Apache-2.0
"""A NamedTuple result has its loss replaced by a number for the printout and is returned as a tensor."""
from typing import NamedTuple
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Result(NamedTuple):
    loss: object
    pred: torch.Tensor


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def measure(self, x, y):
        pred = self.net(x)
        res = Result(F.mse_loss(pred, y), pred)
        return res._replace(loss=round(res.loss.item(), 6))  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        res = self.measure(*batch)
        return torch.as_tensor(res.loss)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1006)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.item',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A NamedTuple result has its loss replaced by a number for the printout and is returned as a tensor.',
}
