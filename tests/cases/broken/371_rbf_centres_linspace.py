# SPDX-License-Identifier: Apache-2.0
"""The range of radial basis centres is learned and handed to torch.linspace."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class RadialBasis(nn.Module):
    def __init__(self, n=8, cutoff=3.0):
        super().__init__()
        self.n = n
        self.start = nn.Parameter(torch.tensor(-cutoff))
        self.stop = nn.Parameter(torch.tensor(cutoff))
        self.log_gamma = nn.Parameter(torch.zeros(()))

    def forward(self, d):
        centres = torch.linspace(self.start, self.stop, self.n)  # <-- CAUSE
        return torch.exp(-self.log_gamma.exp() * (d.unsqueeze(-1) - centres) ** 2)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rbf = RadialBasis()
        self.mix = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.mix(self.rbf(x.squeeze(-1))), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(371)
    x = torch.randn(16, 1, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.linspace",
    "line_marker": "# <-- CAUSE",
    "params": ["rbf.start", "rbf.stop"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
