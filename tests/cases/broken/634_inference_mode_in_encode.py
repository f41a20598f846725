# SPDX-License-Identifier: Apache-2.0
"""encode() runs in inference mode; its result cannot be saved for backward."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 4)
        self.dec = nn.Linear(4, 6)

    @torch.inference_mode()  # <-- CAUSE
    def encode(self, x):
        return self.enc(x).relu()  # <-- ALSO

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.dec(self.encode(x)), x)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(634)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "inference_mode",
    "cause_alt": ["torch.inference_mode"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "Inference tensors cannot be saved for backward",
    "source": "own",
    "notes": "",
}
