# SPDX-License-Identifier: Apache-2.0
"""The accumulator requires grad, so backward runs; each added term is detached."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, scales=(1, 2)):
        super().__init__()
        self.scales = scales
        self.conv = nn.Conv2d(1, 1, 3, padding=1)

    def training_step(self, batch, batch_idx):
        img, mask = batch
        total = torch.zeros((), requires_grad=True)
        for s in self.scales:
            pred = self.conv(F.avg_pool2d(img, s))
            ref = F.avg_pool2d(mask, s)
            total = total + F.binary_cross_entropy_with_logits(pred, ref).detach() / s  # <-- CAUSE
        return total

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(346)
    x = torch.randn(8, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x, (x[:, :1] > 0).float()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "The only leaf of the graph is the accumulator.",
}
