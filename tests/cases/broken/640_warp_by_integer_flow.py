# SPDX-License-Identifier: Apache-2.0
"""The image is warped by gathering at integer flow positions."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def warp(img, flow):
    b, _, h, w = img.shape
    ys, xs = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    px = (xs + flow[:, 0]).round().clamp(0, w - 1).long()  # <-- CAUSE
    py = (ys + flow[:, 1]).round().clamp(0, h - 1).long()  # <-- ALSO
    return img[torch.arange(b)[:, None, None], :, py, px].permute(0, 3, 1, 2)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.flow = nn.Conv2d(2, 2, 3, padding=1)
        self.refine = nn.Conv2d(1, 1, 3, padding=1)

    def training_step(self, batch, batch_idx):
        (pair,) = batch
        a, b = pair[:, :1], pair[:, 1:]
        return F.l1_loss(self.refine(warp(a, self.flow(pair))), b)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(640)
    x = torch.randn(12, 2, 6, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.long",
    "cause_alt": ["Tensor.round", "torch.round"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["flow.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
