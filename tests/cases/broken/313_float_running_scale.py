# SPDX-License-Identifier: Apache-2.0
"""The loss is normalised by its running mean with Python floats."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class RunningScale:
    def __init__(self, momentum=0.9):
        self.momentum, self.mean = momentum, None

    def __call__(self, value):
        value = float(value)  # <-- CAUSE
        old = value if self.mean is None else self.mean
        self.mean = self.momentum * old + (1 - self.momentum) * value
        return value / (self.mean + 1e-12)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 5, batch_first=True)
        self.fc = nn.Linear(5, 4)
        self.scale = RunningScale()

    def training_step(self, batch, batch_idx):
        x, y = batch
        _, (h, _) = self.lstm(x)
        raw = F.cross_entropy(self.fc(h[-1]), y)
        return torch.scalar_tensor(self.scale(raw))  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(313)
    x = torch.randn(12, 5, 3, generator=g)
    y = torch.randint(0, 4, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "float",
    "cause_alt": ["Tensor.__float__", "Tensor.item", "torch.scalar_tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
