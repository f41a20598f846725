# SPDX-License-Identifier: Apache-2.0
"""Power-law compressed spectrogram: the derivative of p ** 0.3 is infinite for silent frames."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def compress(power, exponent=0.3):
    return power**exponent  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.basis = nn.Linear(8, 6, bias=False)

    def training_step(self, batch, batch_idx):
        (frames,) = batch
        power = self.basis(frames).square().sum(dim=-1)
        target = frames.square().sum(dim=-1)
        return F.l1_loss(compress(power), compress(target))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(451)
    frames = torch.randn(12, 5, 8, generator=g)
    frames[:, -1] = 0
    return DataLoader(TensorDataset(frames), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "pow",
    "cause_alt": ["Tensor.pow", "torch.pow"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
