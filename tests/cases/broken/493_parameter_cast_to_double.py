# SPDX-License-Identifier: Apache-2.0
"""nn.Parameter(...).double() is no Parameter: the positions are a plain non-leaf tensor."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Positional(nn.Module):
    def __init__(self, length, dim):
        super().__init__()
        self.pos = nn.Parameter(0.02 * torch.randn(length, dim)).double()  # <-- CAUSE

    def forward(self, x):
        return x + self.pos[: x.size(1)].to(x.dtype)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.pos = Positional(8, 6)
        self.layer = nn.TransformerEncoderLayer(6, 2, 12, dropout=0.0, batch_first=True)
        self.cls = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        seq, y = batch
        return F.cross_entropy(self.cls(self.layer(self.pos(seq)).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(493)
    x = torch.randn(12, 5, 6, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "non_leaf_parameter",
    "cause_alt": ["Tensor.double"],
    "line_marker": "# <-- CAUSE",
    "params": ["pos.pos"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
