# SPDX-License-Identifier: Apache-2.0
"""Raw sensor counts around 1e6 go into a sigmoid layer without normalisation."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 8)
        self.act = nn.Sigmoid()  # <-- ALSO
        self.second = nn.Linear(8, 1)

    def forward(self, counts):
        hidden = self.act(self.first(counts))  # <-- CAUSE
        return self.second(hidden)[:, 0]

    def training_step(self, batch, batch_idx):
        counts, y = batch
        return F.mse_loss(self(counts), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(408)
    counts = torch.randint(100_000, 2_000_000, (12, 5), generator=g).float()
    return DataLoader(TensorDataset(counts, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "sigmoid",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["first.*"],
    "metric_like": None,
    "source": "own",
    "notes": "Saturation: the sigmoid is exactly 0 or 1 in float32.",
}
