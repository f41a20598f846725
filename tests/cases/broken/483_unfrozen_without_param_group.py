# SPDX-License-Identifier: Apache-2.0
"""Gradual unfreezing at the third batch of a backbone that the optimizer never got."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, unfreeze_at=2):
        super().__init__()
        self.unfreeze_at = unfreeze_at
        self.backbone = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8))
        self.head = nn.Linear(8, 3)
        self.backbone.requires_grad_(False)

    def on_train_batch_start(self, batch, batch_idx):
        if self.global_step == self.unfreeze_at:
            for p in self.backbone.parameters():
                p.requires_grad = True  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.backbone(x)), y)

    def configure_optimizers(self):
        trainable = filter(lambda p: p.requires_grad, self.parameters())
        return torch.optim.SGD(trainable, lr=0.1)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(483)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "cause_alt": ["unfrozen"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["backbone.*"],
    "metric_like": None,
    "onset_step": 3,
    "steps": 6,
    "source": "own",
    "notes": "",
}
