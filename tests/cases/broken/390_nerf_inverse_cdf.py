# SPDX-License-Identifier: Apache-2.0
"""Hierarchical sampling: searchsorted picks fine positions and the coarse loss was left out."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(1, 8), nn.Softplus(), nn.Linear(8, 1), nn.Softplus())

    def forward(self, t):
        return self.mlp(t.unsqueeze(-1)).squeeze(-1)


def sample_pdf(bins, weights, n):
    pdf = weights / weights.sum(-1, keepdim=True)
    cdf = pdf.cumsum(-1)
    u = torch.rand(*cdf.shape[:-1], n)
    idx = torch.searchsorted(cdf, u, right=True).clamp(max=bins.size(-1) - 1)  # <-- CAUSE
    return bins.gather(-1, idx)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.coarse, self.fine = Field(), Field()

    def training_step(self, batch, batch_idx):
        (depth,) = batch
        bins = torch.linspace(0, 1, 8).expand(len(depth), 8).contiguous()
        t = sample_pdf(bins, self.coarse(bins) + 1e-3, 6)
        w = self.fine(t)
        rendered = (w * t).sum(-1) / w.sum(-1)
        return F.mse_loss(rendered, depth.squeeze(-1))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(390)
    return DataLoader(TensorDataset(torch.randn(12, 1, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "torch.searchsorted",
    "line_marker": "# <-- CAUSE",
    "params": ["coarse.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
