# SPDX-License-Identifier: Apache-2.0
"""A learned fill value for padding reaches masked_fill as a Python float."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Pool(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.score = nn.Linear(dim, 1)
        self.pad_logit = nn.Parameter(torch.tensor(-2.0))

    def forward(self, x, pad):
        logit = self.score(x).squeeze(-1).masked_fill(pad, float(self.pad_logit))  # <-- CAUSE
        return (logit.softmax(-1).unsqueeze(-1) * x).sum(1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.pool = Pool(4)
        self.fc = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pad = torch.arange(x.size(1)) >= 4
        return F.cross_entropy(self.fc(self.pool(x, pad)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(374)
    x = torch.randn(12, 6, 4, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "float",
    "cause_alt": ["Tensor.__float__", "Tensor.item", "Tensor.masked_fill"],
    "line_marker": "# <-- CAUSE",
    "params": ["pool.pad_logit"],
    "metric_like": None,
    "source": "own",
    "notes": "masked_fill with the tensor as value would be differentiable.",
}
