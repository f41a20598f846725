# SPDX-License-Identifier: Apache-2.0
"""Landmark coordinates by soft argmax; the hard peak is only used for the logged error."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1, bias=False))
        self.register_buffer("axis", torch.linspace(0, 1, 6))

    def training_step(self, batch, batch_idx):
        heat = self.net(batch[0])
        prob = heat.flatten(2).softmax(-1).view_as(heat)
        xy = torch.stack([(prob.sum(2) * self.axis).sum(-1), (prob.sum(3) * self.axis).sum(-1)], -1)
        target = torch.tensor([[0.2, 0.8], [0.7, 0.1]]).expand_as(xy)
        peak = heat.flatten(2).max(-1).indices
        hard = torch.stack([peak % 6, peak // 6], -1) / 5
        self.log("pixel_error", (hard - target).abs().mean())
        return F.smooth_l1_loss(xy, target)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(705)
    x = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "The expectation over the heatmap is smooth.",
    "all_grads_by_step": 1,
    "source": "own",
}
