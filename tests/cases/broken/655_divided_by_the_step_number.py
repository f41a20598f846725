# SPDX-License-Identifier: Apache-2.0
"""A warm-up divides by the global step, which starts at zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))

    def anneal(self):
        t = torch.tensor(float(self.global_step))
        return 1.0 / t.sqrt()  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.anneal() * F.cross_entropy(self.net(x), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(655)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.div",
    "cause_alt": ["Tensor.__truediv__", "Tensor.div", "div", "torch.mul", "Tensor.__rtruediv__", "Tensor.reciprocal"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
