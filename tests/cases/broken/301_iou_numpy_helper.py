# SPDX-License-Identifier: Apache-2.0
"""Mask IoU computed in numpy by a helper and turned back into a tensor."""

import numpy as np
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def to_numpy(t):
    return t.detach().cpu().numpy()  # <-- CAUSE


def mean_iou(pred, target, thr=0.5, eps=1e-6):
    a, b = to_numpy(pred) > thr, to_numpy(target) > thr
    inter = np.logical_and(a, b).sum(axis=(1, 2, 3))
    union = np.logical_or(a, b).sum(axis=(1, 2, 3))
    return torch.from_numpy((inter + eps) / (union + eps)).mean()  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, padding=1)
        self.up = nn.Conv2d(4, 1, 1)

    def training_step(self, batch, batch_idx):
        img, mask = batch
        prob = self.up(self.down(img).relu()).sigmoid()
        score = mean_iou(prob, mask)
        self.log("iou", score)
        return 1.0 - score

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(301)
    x = torch.randn(12, 1, 6, 6, generator=g)
    return DataLoader(TensorDataset(x, (x[:, :1] > 0).float()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.detach",
    "cause_alt": ["Tensor.numpy", "torch.from_numpy"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "BinaryJaccardIndex",
    "source": "own",
    "notes": "",
}
