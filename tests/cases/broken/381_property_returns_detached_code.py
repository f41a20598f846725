# SPDX-License-Identifier: Apache-2.0
"""A mixin exposes the current code as a property that detaches; the training path uses it too."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class CodeMixin:
    _code = None

    @property
    def code(self):
        return self._code.detach()  # <-- CAUSE

    @code.setter
    def code(self, value):
        self._code = value


class Autoencoder(CodeMixin, nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Linear(6, 2)
        self.up = nn.Linear(2, 6)

    def forward(self, x):
        self.code = torch.tanh(self.down(x))
        return self.up(self.code)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.ae = Autoencoder()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        loss = F.mse_loss(self.ae(x), x)
        self.log("code_norm", self.ae.code.norm(dim=1).mean())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(381)
    return DataLoader(TensorDataset(torch.randn(12, 6, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["ae.down.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
