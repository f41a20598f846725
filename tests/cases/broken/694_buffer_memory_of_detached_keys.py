# SPDX-License-Identifier: Apache-2.0
"""The attention reads its own keys back from a buffer written under .data."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.key, self.value, self.query = (nn.Linear(4, 4) for _ in range(3))
        self.register_buffer("cache", torch.zeros(8, 5, 4))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        self.cache.copy_(self.key(x).data)  # <-- CAUSE
        att = (self.query(x) @ self.cache.transpose(1, 2) / 2).softmax(-1)
        return F.mse_loss(att @ self.value(x), x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(694)
    x = torch.randn(24, 5, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.data",
    "cause_alt": ["data", "Tensor.copy_"],
    "line_marker": "# <-- CAUSE",
    "params": ["key.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
