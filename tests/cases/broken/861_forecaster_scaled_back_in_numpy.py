# SPDX-License-Identifier: Apache-2.0
"""Forecasting: predictions are inverse transformed by a numpy scaler before the pinball loss."""
import numpy as np

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class StandardScaler:
    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def inverse_transform(self, x):
        return x * self.std + self.mean


def pinball(pred, y, qs=(0.1, 0.5, 0.9)):
    parts = []
    for i, q in enumerate(qs):
        e = y - pred[..., i]
        parts.append(torch.max((q - 1) * e, q * e).mean())
    return sum(parts)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(1, 8, batch_first=True)
        self.out = nn.Linear(8, 3)
        self.scaler = StandardScaler(np.float32(2.0), np.float32(3.0))

    def training_step(self, batch, batch_idx):
        past, future = batch
        pred = self.out(self.rnn(past)[0][:, -1])
        pred = torch.from_numpy(self.scaler.inverse_transform(pred.detach().numpy()))  # <-- CAUSE
        loss = pinball(pred, future)
        self.log("pinball", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(861)
    return DataLoader(TensorDataset(torch.randn(24, 6, 1, generator=g), torch.randn(24, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'no_grad_loss'}
