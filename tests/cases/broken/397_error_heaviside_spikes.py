# SPDX-License-Identifier: Apache-2.0
"""A leaky integrate-and-fire layer spikes by torch.heaviside without a surrogate gradient."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LIF(nn.Module):
    def __init__(self, decay=0.9, threshold=0.5):
        super().__init__()
        self.decay, self.threshold = decay, threshold

    def forward(self, current):
        v = torch.zeros_like(current[0])
        spikes = []
        for i_t in current:
            v = self.decay * v + i_t
            s = torch.heaviside(v - self.threshold, v.new_zeros(()))  # <-- CAUSE
            v = v * (1 - s)
            spikes.append(s)
        return torch.stack(spikes)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.syn = nn.Linear(3, 8)
        self.lif = LIF()
        self.readout = nn.Linear(8, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        rate = self.lif(self.syn(x.transpose(0, 1))).mean(0)
        return F.cross_entropy(self.readout(rate), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(397)
    x = torch.randn(12, 5, 3, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "torch.heaviside",
    "line_marker": "# <-- CAUSE",
    "params": ["syn.*"],
    "metric_like": None,
    "error": "derivative for aten::heaviside is not implemented",
    "source": "own",
    "notes": "",
}
