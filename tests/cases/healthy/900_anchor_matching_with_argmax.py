# SPDX-License-Identifier: Apache-2.0
"""SSD-like detector: anchors are matched by argmax of IoU under no_grad, decoded boxes are kept by a hand-written NMS for the log only."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def iou(a, b):
    lt, rb = torch.max(a[:, None, :2], b[:, :2]), torch.min(a[:, None, 2:], b[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(-1)
    area = lambda x: (x[:, 2:] - x[:, :2]).clamp(min=0).prod(-1)
    return inter / (area(a)[:, None] + area(b) - inter + 1e-6)


def nms(boxes, scores, thr=0.5):
    keep, order = [], scores.argsort(descending=True).tolist()
    while order:
        i = order.pop(0)
        keep.append(i)
        order = [j for j in order if iou(boxes[i : i + 1], boxes[j : j + 1]).item() < thr]
    return keep


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(10, 16), nn.ReLU())
        self.cls, self.reg = nn.Linear(16, 6), nn.Linear(16, 6 * 4)
        c = torch.rand(6, 2)
        self.register_buffer("anchors", torch.cat([c - 0.3, c + 0.3], 1))

    @torch.no_grad()
    def match(self, gt):
        overlap = iou(self.anchors, gt)
        best, idx = overlap.max(1)
        pos = best > 0.3
        pos[overlap.argmax(0)] = True
        return pos, idx

    def training_step(self, batch, batch_idx):
        x, gts = batch
        h = self.trunk(x)
        logits, deltas = self.cls(h), self.reg(h).view(-1, 6, 4)
        loss, kept = 0.0, 0
        for lo, d, gt in zip(logits, deltas, gts):
            pos, idx = self.match(gt)
            boxes = self.anchors + 0.1 * d
            loss = loss + F.binary_cross_entropy_with_logits(lo, pos.float()) + F.smooth_l1_loss(boxes[pos], gt[idx[pos]])
            kept += len(nms(boxes, lo))
        self.log("kept", float(kept))
        return loss / len(x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(900)
    c = torch.rand(12, 2, 2, generator=g)
    return DataLoader(TensorDataset(torch.randn(12, 10, generator=g), torch.cat([c - 0.2, c + 0.2], -1)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'SSD-like detector: anchors are matched by argmax of IoU under no_grad, decoded boxes are kept by a hand-written NMS for the log only.', 'all_grads_by_step': 1, 'source': 'held'}
