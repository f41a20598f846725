# SPDX-License-Identifier: Apache-2.0
"""The losses of the segments are averaged with a MeanMetric, and its value is returned."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics import MeanMetric


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 5, batch_first=True)
        self.out = nn.Linear(5, 3)
        self.average = MeanMetric()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        self.average.reset()
        for part in x.chunk(2, dim=1):
            pred = self.out(self.gru(part[:, :-1])[0])
            self.average.update(F.mse_loss(pred, part[:, 1:]))  # <-- ALSO
        return self.average.compute()  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(620)
    x = torch.randn(12, 8, 3, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "MeanMetric",
    "cause_alt": ["torchmetrics"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "MeanMetric",
    "source": "own",
    "notes": "",
}
