# SPDX-License-Identifier: Apache-2.0
"""The focal loss takes 'the sample was right' for the probability of the right class."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, logits, y):
        pt = logits.softmax(1).argmax(1).eq(y).float().clamp(1e-4, 1 - 1e-4)  # <-- CAUSE
        return (-((1 - pt) ** self.gamma) * pt.log()).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 9), nn.ELU(), nn.Linear(9, 3))
        self.crit = FocalLoss()

    def training_step(self, batch, batch_idx):
        return self.crit(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(616)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.argmax",
    "cause_alt": ["torch.argmax"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
