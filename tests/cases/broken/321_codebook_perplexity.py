# SPDX-License-Identifier: Apache-2.0
"""Codebook usage (perplexity of the nearest codes) is the only term returned."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class VectorQuantizer(nn.Module):
    def __init__(self, codes, dim):
        super().__init__()
        self.codebook = nn.Parameter(torch.randn(codes, dim))

    def usage(self, z):
        nearest = torch.cdist(z, self.codebook).argmin(dim=1)  # <-- CAUSE
        freq = torch.bincount(nearest, minlength=len(self.codebook)) / nearest.numel()
        return torch.exp(-(freq * (freq + 1e-10).log()).sum())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(6, 4)
        self.vq = VectorQuantizer(5, 4)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return -self.vq.usage(self.encoder(x))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(321)
    return DataLoader(TensorDataset(torch.randn(16, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.argmin",
    "cause_alt": ["torch.argmin", "torch.bincount"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "The reconstruction term was lost on the way.",
}
