# SPDX-License-Identifier: Apache-2.0
"""Suppression picks boxes by index; the loss of the kept boxes is differentiable."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def suppress(boxes, scores, thr=0.7):
    order = scores.sort(descending=True).indices.tolist()
    keep = []
    for i in order:
        lt = torch.maximum(boxes[i, :2], boxes[keep, :2])
        rb = torch.minimum(boxes[i, 2:], boxes[keep, 2:])
        if not keep or bool(((rb - lt).clamp(min=0).prod(-1) < thr).all()):
            keep.append(i)
    return torch.tensor(keep)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 5)

    def training_step(self, batch, batch_idx):
        out = self.net(batch[0])
        xy, wh = out[:, :2].sigmoid(), out[:, 2:4].sigmoid()
        boxes, scores = torch.cat([xy, xy + wh], 1), out[:, 4]
        keep = suppress(boxes.detach(), scores.detach())
        target = torch.tensor([0.2, 0.2, 0.8, 0.8])
        quality = -(boxes[keep] - target).abs().mean(1)
        return F.l1_loss(boxes[keep], target.expand(len(keep), 4)) + F.binary_cross_entropy_with_logits(scores[keep], quality.detach().exp())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(706)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "Selecting rows by index keeps the graph of the rows.",
    "all_grads_by_step": 1,
    "source": "own",
}
