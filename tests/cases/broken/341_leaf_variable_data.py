# SPDX-License-Identifier: Apache-2.0
"""Pre-0.4 habit: the loss is re-wrapped as Variable(loss.data, requires_grad=True)."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd import Variable
from torch.utils.data import DataLoader, TensorDataset


def weighted(loss, weight):
    return Variable(loss.data * weight, requires_grad=True)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(2, 4, 3)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(F.adaptive_max_pool1d(self.conv1(x), 1).squeeze(2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.nll_loss(F.log_softmax(self(x), dim=1), y)
        return weighted(loss, 0.5)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(341)
    x = torch.randn(12, 2, 8, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "Tensor.data",
    "cause_alt": ["Variable", "torch.autograd.Variable", "requires_grad=True"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
