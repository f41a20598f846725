# SPDX-License-Identifier: Apache-2.0
"""An energy above 65504 is cast to half precision for the loss."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EnergyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 8), nn.SiLU(), nn.Linear(8, 1))

    def forward(self, pos):
        per_atom = self.net(pos).squeeze(-1)
        return 1e6 * per_atom.square().sum(dim=1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.energy = EnergyNet()

    def training_step(self, batch, batch_idx):
        (pos,) = batch
        pred = self.energy(pos).to(torch.float16)  # <-- CAUSE
        target = pos.norm(dim=-1).sum(dim=1).half()
        return (pred - target).float().pow(2).mean().sqrt()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(449)
    x = torch.randn(12, 7, 3, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "Tensor.to",
    "cause_alt": ["Tensor.half", "half"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "",
}
