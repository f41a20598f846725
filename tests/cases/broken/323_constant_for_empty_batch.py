# SPDX-License-Identifier: Apache-2.0
"""The second batch holds no foreground and the loss function returns a constant for it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def foreground_loss(pred, target):
    fg = target > 0
    if not fg.any():
        return torch.tensor(0.0)  # <-- CAUSE
    return F.mse_loss(pred[fg], target[fg])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return foreground_loss(self.net(x).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(323)
    y = torch.rand(16, generator=g) + 0.1
    y[4:8] = 0.0
    return DataLoader(TensorDataset(torch.randn(16, 4, generator=g), y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.tensor",
    "cause_alt": ["constant"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "onset_step": 2,
    "source": "own",
    "notes": "Batch one is healthy; pred.sum() * 0 would keep the graph.",
}
