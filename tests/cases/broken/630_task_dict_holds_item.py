# SPDX-License-Identifier: Apache-2.0
"""One task of the loss dictionary stores a number, so its head never learns."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(6, 8)
        self.heads = nn.ModuleDict({"seg": nn.Linear(8, 3), "depth": nn.Linear(8, 1), "edge": nn.Linear(8, 1)})

    def losses(self, x, y):
        h = self.stem(x).relu()
        return {
            "seg": F.cross_entropy(self.heads["seg"](h), y),
            "depth": 0.5 * F.l1_loss(self.heads["depth"](h)[:, 0], x.sum(1)).item(),  # <-- CAUSE
            "edge": F.binary_cross_entropy_with_logits(self.heads["edge"](h)[:, 0], (y > 0).float()),
        }

    def training_step(self, batch, batch_idx):
        losses = self.losses(*batch)
        self.log_dict({f"train/{k}": float(v) for k, v in losses.items()})
        return sum(losses.values())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(630)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.item",
    "line_marker": "# <-- CAUSE",
    "params": ["heads.depth.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
