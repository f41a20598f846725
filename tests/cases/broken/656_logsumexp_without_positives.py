# SPDX-License-Identifier: Apache-2.0
"""InfoNCE with positives by label: a row without any positive is all minus infinity."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = F.normalize(self.f(x), dim=1)
        sim = z @ z.T / 0.5
        eye = torch.eye(len(x), dtype=torch.bool)
        positive = (y[:, None] == y) & ~eye
        pos = torch.logsumexp(sim + positive.float().log(), 1)  # <-- CAUSE
        every = torch.logsumexp(sim.masked_fill(eye, -torch.inf), 1)
        return (every - pos).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(656)
    y = torch.tensor([0, 0, 1, 1, 2, 2, 3, 4]).repeat(3)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.logsumexp",
    "cause_alt": ["Tensor.logsumexp", "logsumexp", "Tensor.masked_fill", "torch.sub"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
