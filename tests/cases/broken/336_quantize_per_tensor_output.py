# SPDX-License-Identifier: Apache-2.0
"""Quantisation-aware by intent: activations pass quantize_per_tensor and dequantize."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class QuantStub(nn.Module):
    def __init__(self, scale=0.05, zero_point=0):
        super().__init__()
        self.scale, self.zero_point = scale, zero_point

    def forward(self, x):
        q = torch.quantize_per_tensor(x, self.scale, self.zero_point, torch.qint8)  # <-- CAUSE
        return q.dequantize()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        body = nn.Sequential(nn.Linear(4, 6), nn.ReLU6(), nn.Linear(6, 2))
        self.net = nn.Sequential(body, QuantStub())

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(336)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :2].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.quantize_per_tensor",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "fake_quantize_per_tensor_affine is the differentiable relative.",
}
