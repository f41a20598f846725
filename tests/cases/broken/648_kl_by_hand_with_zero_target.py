# SPDX-License-Identifier: Apache-2.0
"""KL divergence written out for targets that contain exact zeros."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class KL(nn.Module):
    def forward(self, logits, p):
        q = logits.softmax(1)
        ratio = torch.log(q * p)  # <-- CAUSE
        cross = torch.where(p > 0, p * ratio, torch.zeros_like(p))  # <-- ALSO
        return -cross.sum(1).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 4)
        self.kl = KL()

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = F.one_hot(y, 4).float()
        return self.kl(self.net(x), 0.9 * p + 0.1 * p.roll(1, 1))

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(648)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.log",
    "cause_alt": ["Tensor.log"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "The where keeps the value finite, its gradient for the unselected log is 0 * inf.",
}
