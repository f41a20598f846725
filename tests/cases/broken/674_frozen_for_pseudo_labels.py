# SPDX-License-Identifier: Apache-2.0
"""LightningModule.freeze() before pseudo labels are made, without the matching unfreeze()."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
        self.extra = None

    def forward(self, x):
        return self.net(x)

    def label(self, x):
        self.freeze()  # <-- CAUSE
        self.extra = x, self(x).argmax(1)
        self.train()

    def training_step(self, batch, batch_idx):
        x, y = batch
        if self.extra is not None:
            x, y = (torch.cat(pair) for pair in zip(batch, self.extra, strict=True))
        loss = F.cross_entropy(self(x), y)
        return loss

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.label(batch[0] + 0.1)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(674)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "freeze",
    "cause_alt": ["requires_grad", "requires_grad_", "LightningModule.freeze", "Tensor.requires_grad_", "requires_grad="],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "onset_step": 2,
    "source": "own",
    "notes": "",
}
