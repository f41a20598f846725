# SPDX-License-Identifier: Apache-2.0
"""Queries matched to targets by the Hungarian method on a numpy cost, unmatched ones trained as background."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.queries = nn.Embedding(5, 8)
        self.inp = nn.Linear(4, 8)
        self.box, self.cls = nn.Linear(8, 4), nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.tanh(self.inp(x)[:, None] + self.queries.weight)
        boxes, logits = self.box(h).sigmoid(), self.cls(h)
        target = torch.stack([x, x.flip(1)], 1).sigmoid()
        labels = torch.stack([y, 1 - y], 1)
        classes = torch.full(logits.shape[:2], 2)
        box_loss = 0.0
        for i in range(len(x)):
            cost = torch.cdist(boxes[i], target[i], p=1) - logits[i].softmax(-1)[:, labels[i]]
            row, col = linear_sum_assignment(cost.detach().numpy())
            classes[i, torch.as_tensor(row)] = labels[i, col]
            box_loss = box_loss + F.smooth_l1_loss(boxes[i, row], target[i, col])
        return box_loss / len(x) + F.cross_entropy(logits.transpose(1, 2), classes)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(587)
    data = TensorDataset(torch.randn(24, 4, generator=g), torch.randint(0, 2, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The assignment yields indices, the losses are computed on the live predictions they pick.",
    "all_grads_by_step": 1,
    "source": "own",
}
