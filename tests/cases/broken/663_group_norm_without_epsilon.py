# SPDX-License-Identifier: Apache-2.0
"""Instance statistics without an epsilon on a channel that the ReLU has emptied."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def instance_norm(h):
    mu = h.mean((2, 3), keepdim=True)
    var = (h - mu).square().mean((2, 3), keepdim=True)
    return (h - mu) / var.sqrt()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        with torch.no_grad():
            self.conv.bias[1] = -50.0
        self.out = nn.Linear(3, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = instance_norm(self.conv(x).relu())
        return F.cross_entropy(self.out(h.amax((2, 3))), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(663)
    x = torch.randn(12, 1, 5, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.sqrt",
    "cause_alt": ["Tensor.sqrt", "Tensor.std", "torch.div", "Tensor.__truediv__"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
