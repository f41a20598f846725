# SPDX-License-Identifier: Apache-2.0
"""A 0/0 in the attention weights reaches BCELoss, which raises because NaN is not a probability."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class GatedPool(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gate = nn.Linear(dim, 1)

    def forward(self, bag):
        w = F.relu(self.gate(bag) - 1e6)
        w = w / w.sum(dim=1, keepdim=True)  # <-- CAUSE
        return (w * bag).sum(dim=1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.pool = GatedPool(4)
        self.cls = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())

    def training_step(self, batch, batch_idx):
        bag, y = batch
        prob = self.cls(self.pool(bag)).squeeze(1)
        return F.binary_cross_entropy(prob, y.float())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(459)
    x = torch.randn(12, 6, 4, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "div",
    "cause_alt": ["torch.div", "Tensor.div", "truediv", "binary_cross_entropy"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "error": "all elements of input should be between 0 and 1",
    "source": "own",
    "notes": "",
}
