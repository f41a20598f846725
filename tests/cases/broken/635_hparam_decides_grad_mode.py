# SPDX-License-Identifier: Apache-2.0
"""A hyperparameter that nobody set decides the grad mode around the encoder."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, finetune: bool = False):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = nn.GRU(3, 6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        previous = torch.is_grad_enabled()
        torch.set_grad_enabled(self.hparams.finetune and self.training)  # <-- CAUSE
        _, h = self.encoder(x)  # <-- ALSO
        torch.set_grad_enabled(previous)
        return F.mse_loss(self.head(h[-1])[:, 0], y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(635)
    x = torch.randn(24, 5, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "set_grad_enabled",
    "cause_alt": ["torch.set_grad_enabled"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["encoder.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
