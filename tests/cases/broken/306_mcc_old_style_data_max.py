# SPDX-License-Identifier: Apache-2.0
"""Old-style output.data.max(1) feeding a Matthews correlation filled in a Python loop."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def matthews(output, target):
    pred = output.data.max(1, keepdim=True)[1]  # <-- CAUSE
    cm = torch.zeros(2, 2)
    for p, t in zip(pred.view(-1), target):
        cm[int(t), int(p)] += 1
    (tn, fp), (fn, tp) = cm
    den = ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)).clamp(min=1).sqrt()
    return (tp * tn - fp * fn) / den


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 16)
        self.fc2 = nn.Linear(16, 2)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)

    def training_step(self, batch, batch_idx):
        data, target = batch
        output = self(data)
        loss = 1.0 - matthews(output, target)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def dataloader():
    g = torch.Generator().manual_seed(306)
    x = torch.randn(24, 4, generator=g)
    y = torch.randint(0, 2, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=6)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.data",
    "cause_alt": ["Tensor.max", "torch.max"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "BinaryMatthewsCorrCoef",
    "source": "own",
    "notes": "",
}
