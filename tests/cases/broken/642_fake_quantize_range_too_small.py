# SPDX-License-Identifier: Apache-2.0
"""The fake quantiser is calibrated for a range a thousand times too small: everything saturates."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class QuantStub(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        return torch.fake_quantize_per_tensor_affine(x, self.scale, 0, -128, 127)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.inp = nn.Linear(6, 8)
        self.quant = QuantStub(scale=1e-7)  # <-- ALSO
        self.out = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.quant(self.inp(x)) * 1e4), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(642)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.fake_quantize_per_tensor_affine",
    "cause_alt": ["fake_quantize_per_tensor_affine"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["inp.*"],
    "metric_like": None,
    "weight_decay": True,
    "source": "own",
    "notes": "",
}
