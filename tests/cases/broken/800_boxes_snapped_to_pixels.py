# SPDX-License-Identifier: Apache-2.0
"""Anchor-based detector; decoded boxes are snapped to whole pixels before the regression loss, so the box branch gets zeros."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class BoxCoder:
    def __init__(self, weights=(10.0, 10.0, 5.0, 5.0)):
        self.weights = weights

    def decode(self, deltas, anchors):
        wx, wy, ww, wh = self.weights
        size = anchors[:, 2:] - anchors[:, :2]
        ctr = anchors[:, :2] + 0.5 * size
        new_ctr = deltas[:, :2] / torch.tensor([wx, wy]) * size + ctr
        new_size = (deltas[:, 2:] / torch.tensor([ww, wh])).exp() * size
        return torch.cat([new_ctr - 0.5 * new_size, new_ctr + 0.5 * new_size], 1)


def snap(boxes):
    return boxes.round()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(12, 16), nn.ReLU())
        self.cls_head = nn.Linear(16, 3)
        self.box_head = nn.Linear(16, 4)
        self.coder = BoxCoder()

    def training_step(self, batch, batch_idx):
        feat, anchors, gt, label = batch
        h = self.trunk(feat)
        boxes = snap(self.coder.decode(self.box_head(h), anchors))
        cls_loss = F.cross_entropy(self.cls_head(h), label)
        box_loss = F.smooth_l1_loss(boxes, gt)
        self.log_dict({"cls": cls_loss, "box": box_loss})
        return cls_loss + box_loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(800)
    a = torch.rand(24, 2, generator=g) * 20
    anchors = torch.cat([a, a + 12], 1)
    return DataLoader(TensorDataset(torch.randn(24, 12, generator=g), anchors, anchors + torch.randn(24, 4, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.round', 'line_marker': '# <-- CAUSE', 'params': ['box_head.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'zero'}
