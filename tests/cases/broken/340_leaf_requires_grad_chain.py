# SPDX-License-Identifier: Apache-2.0
"""Threshold errors are stacked and made a leaf at the end of the chain."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.branches = nn.ModuleDict({"left": nn.Linear(4, 1), "right": nn.Linear(4, 1)})

    def training_step(self, batch, batch_idx):
        x, y = batch
        errors = []
        for branch in self.branches.values():
            vote = torch.where(branch(x).flatten() > 0, 1.0, 0.0)  # <-- CAUSE
            errors.append((vote - y).abs().mean())
        return torch.stack(errors).mean().requires_grad_()  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(340)
    x = torch.randn(16, 4, generator=g)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).float()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "torch.gt",
    "cause_alt": ["torch.where", "Tensor.requires_grad_", "requires_grad_"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "BinaryAccuracy",
    "source": "own",
    "notes": "where with a condition made from the logits and two constants.",
}
