# SPDX-License-Identifier: Apache-2.0
"""The spectral loss forgets the absolute value and returns a complex number."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv1d(1, 1, 5, padding=2)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        diff = torch.fft.rfft(self.net(x)) - torch.fft.rfft(x.cos())  # <-- ALSO
        loss = (diff**2).mean()  # <-- CAUSE
        return loss  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(688)
    x = torch.randn(24, 1, 16, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "torch.fft.rfft",
    "cause_alt": ["complex", "fft", "rfft", "complex_loss", "torch.mean", "Tensor.mean"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "grad can be implicitly created only for real scalar outputs",
    "source": "own",
    "notes": "",
}
