# SPDX-License-Identifier: Apache-2.0
"""relu of a negated relu: the second one never lets anything through."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class NegativePart(nn.Module):
    def forward(self, x):
        return F.relu(-F.relu(x))  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lift = nn.Linear(5, 9)
        self.part = NegativePart()
        self.mix = nn.Linear(9, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.mix(self.part(self.lift(x))), y)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(643)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "relu",
    "cause_alt": ["torch.relu", "F.relu", "Tensor.relu"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["lift.*", "mix.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
