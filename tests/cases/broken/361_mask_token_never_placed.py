# SPDX-License-Identifier: Apache-2.0
"""A masked autoencoder drops patches and forgets to insert its mask token."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TinyMAE(nn.Module):
    def __init__(self, dim=6):
        super().__init__()
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos = nn.Parameter(0.02 * torch.randn(1, 8, dim))
        self.enc, self.dec = nn.Linear(4, dim), nn.Linear(dim, 4)

    def forward(self, patches, ratio=0.5):
        h = self.enc(patches) + self.pos
        keep = torch.rand(h.shape[:2]).argsort(1)[:, : int(h.size(1) * (1 - ratio))]
        index = keep.unsqueeze(-1).expand(-1, -1, h.size(-1))
        full = torch.zeros_like(h).scatter(1, index, h.gather(1, index))
        return self.dec(full + self.pos)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mae = TinyMAE()

    def training_step(self, batch, batch_idx):
        (patches,) = batch
        return F.mse_loss(self.mae(patches), patches)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(361)
    return DataLoader(TensorDataset(torch.randn(8, 8, 4, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "unused",
    "line_marker": None,
    "params": ["mae.mask_token"],
    "metric_like": None,
    "source": "own",
    "notes": "Gather, scatter and the random order are innocent.",
}
