# SPDX-License-Identifier: Apache-2.0
"""Per-sample losses go through tolist and statistics.mean to drop outliers."""

import statistics

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def trimmed_mean(values, keep=0.75):
    values = sorted(values.tolist())  # <-- CAUSE
    return statistics.fmean(values[: max(1, int(len(values) * keep))])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        per_sample = (self.net(x) - y).square().mean(dim=1)
        loss = torch.as_tensor(trimmed_mean(per_sample), device=self.device)  # <-- ALSO
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.NAdam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(312)
    x = torch.randn(16, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.tolist",
    "cause_alt": ["torch.as_tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
