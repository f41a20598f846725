# SPDX-License-Identifier: Apache-2.0
"""Inputs mixed by a random permutation, or by a pasted slice, with two labels per sample."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        perm = torch.randperm(len(x))
        lam = float(np.random.beta(0.4, 0.4))
        if batch_idx % 2:
            x = x.clone()
            cut = int(6 * (1 - lam))
            x[:, :cut] = x[perm, :cut]
            lam = 1 - cut / 6
        else:
            x = lam * x + (1 - lam) * x[perm]
        logits = self.net(x)
        hit = lam * (logits.argmax(1) == y).sum() + (1 - lam) * (logits.argmax(1) == y[perm]).sum()
        self.log("acc", hit.item() / len(x))
        return lam * F.cross_entropy(logits, y) + (1 - lam) * F.cross_entropy(logits, y[perm])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(589)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Only inputs and labels are mixed; the accuracy is logged.",
    "all_grads_by_step": 1,
    "source": "own",
}
