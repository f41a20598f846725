# SPDX-License-Identifier: Apache-2.0
"""DINO-style cancelling of last-layer gradients with the epoch comparison the wrong way round."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def cancel_gradients(module, epoch, freeze_epochs):
    if epoch < freeze_epochs:
        return
    for p in module.parameters():
        p.grad = None  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self, freeze_last_layer=0):
        super().__init__()
        self.save_hyperparameters()
        self.backbone = nn.Sequential(nn.Linear(5, 8), nn.GELU())
        self.last = nn.Linear(8, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.last(self.backbone(x)), y)

    def on_after_backward(self):
        cancel_gradients(self.last, self.current_epoch, self.hparams.freeze_last_layer)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(392)
    x = torch.randn(12, 5, generator=g)
    y = torch.randint(0, 6, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "grad=None",
    "cause_alt": ["Tensor.grad", "grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["last.*"],
    "metric_like": None,
    "source": "own",
    "notes": "backward fills the gradients, the module throws them away in on_after_backward.",
}
