# SPDX-License-Identifier: Apache-2.0
"""Plain IoU loss (not GIoU) while no predicted box touches its target: the clamped intersection is 0 and nothing is learned."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def iou_loss(pred, target):
    lt = torch.max(pred[:, :2], target[:, :2])
    rb = torch.min(pred[:, 2:], target[:, 2:])
    wh = (rb - lt).clamp(min=0)  # <-- CAUSE
    inter = wh[:, 0] * wh[:, 1]
    area_p = (pred[:, 2] - pred[:, 0]) * (pred[:, 3] - pred[:, 1])
    area_t = (target[:, 2] - target[:, 0]) * (target[:, 3] - target[:, 1])
    iou = inter / (area_p + area_t - inter)
    return (1 - iou).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Flatten(), nn.Linear(36, 16), nn.ReLU())
        self.reg = nn.Linear(16, 4)

    def forward(self, img):
        cxcywh = self.reg(self.backbone(img)).sigmoid()
        c, s = cxcywh[:, :2], cxcywh[:, 2:]
        return torch.cat([c - s / 2, c + s / 2], 1)

    def training_step(self, batch, batch_idx):
        img, gt = batch  # ground truth is in pixels, the prediction in [0, 1]
        loss = iou_loss(self(img), gt)
        self.log("iou_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(801)
    a = 8 + torch.rand(12, 2, generator=g) * 20
    return DataLoader(TensorDataset(torch.randn(12, 1, 8, 8, generator=g), torch.cat([a, a + 10], 1)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'clamp', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'zero'}
