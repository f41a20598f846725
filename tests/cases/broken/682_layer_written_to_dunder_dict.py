# SPDX-License-Identifier: Apache-2.0
"""The decoder bypasses registration through __dict__, to keep it out of the checkpoint."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 3)
        self.__dict__["decoder"] = nn.Linear(3, 6)  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.decoder(self.encoder(x).tanh()), x)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(682)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "__dict__",
    "cause_alt": ["python_dict", "object.__setattr__", "instance_dict"],
    "line_marker": "# <-- CAUSE",
    "params": ["decoder*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
