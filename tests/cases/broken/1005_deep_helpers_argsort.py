# SPDX-License-Identifier: Apache-2.0
"""Four helpers deep, the rank of the true class is the loss."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def _order(scores):
    return scores.argsort(dim=1, descending=True)  # <-- CAUSE


def _rank(scores, y):
    return (_order(scores) == y.unsqueeze(1)).float().argmax(1)


def _score(scores, y):
    rank = _rank(scores, y).float()
    return rank.mean() / scores.size(1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def _step(self, batch, stage):
        x, y = batch
        if (loss := _score(self.net(x), y)) is None:
            return None
        self.log(f"{stage}/loss", loss)
        return loss

    def training_step(self, batch, batch_idx):
        return self._step(batch, "train")

    def validation_step(self, batch, batch_idx):
        self._step(batch, "val")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1005)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.argsort',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'Four helpers deep, the rank of the true class is the loss.',
}
