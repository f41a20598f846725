# SPDX-License-Identifier: Apache-2.0
"""Quantisation-aware training with learned scale; fake_quantize has a straight-through gradient."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 6) * 0.3)
        self.scale = nn.Parameter(torch.tensor([0.02]))
        self.inp = nn.Linear(6, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        zero = torch.zeros(1)
        w = torch._fake_quantize_learnable_per_tensor_affine(self.w, self.scale, zero, -128, 127, 1.0)
        h = torch.fake_quantize_per_tensor_affine(self.inp(x), 0.05, 0, -128, 127)
        return F.cross_entropy(h @ w.T, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(746)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The range covers the values, so the gradient passes.",
    "all_grads_by_step": 1,
    "source": "own",
}
