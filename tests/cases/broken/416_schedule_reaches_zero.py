# SPDX-License-Identifier: Apache-2.0
"""A reconstruction weight falls linearly with global_step and is zero from the fourth step on."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 5)
        self.dec = nn.Linear(5, 6)
        self.cls = nn.Linear(5, 2)

    @property
    def rec_weight(self):
        return max(0.0, 1.0 - self.global_step / 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = torch.tanh(self.enc(x))
        rec = F.mse_loss(self.dec(z), x)
        loss = F.cross_entropy(self.cls(z), y)
        loss += self.rec_weight * rec  # <-- CAUSE
        self.log("rec_weight", self.rec_weight)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(416)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "mul",
    "cause_alt": ["Tensor.mul", "torch.mul"],
    "line_marker": "# <-- CAUSE",
    "params": ["dec.*"],
    "metric_like": None,
    "onset_step": 4,
    "steps": 6,
    "source": "own",
    "notes": "",
}
