# SPDX-License-Identifier: Apache-2.0
"""Recall of the boxes that survive a greedy suppression, used as the training loss of a detector."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def pair_iou(a, b):
    lt = torch.maximum(a[:, None, :2], b[None, :, :2])
    rb = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = (rb - lt).clamp(min=0).prod(-1)
    area = lambda t: (t[:, 2:] - t[:, :2]).prod(-1)  # noqa: E731
    return inter / (area(a)[:, None] + area(b)[None] - inter + 1e-6)


def suppress(boxes, scores, thr=0.5):
    order, keep = scores.argsort(descending=True).tolist(), []  # <-- ALSO
    overlap = pair_iou(boxes, boxes)
    for i in order:
        if all(overlap[i, j] <= thr for j in keep):
            keep.append(i)
    return keep


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 5 * 4)

    def training_step(self, batch, batch_idx):
        out = self.net(batch[0]).view(-1, 5)
        xy, wh = out[:, :2].sigmoid(), out[:, 2:4].sigmoid()
        boxes = torch.cat([xy, xy + wh], 1)
        boxes = boxes[suppress(boxes, out[:, 4])]
        truth = torch.tensor([[0.2, 0.2, 0.8, 0.8], [0.4, 0.5, 1.0, 1.1]])
        found = pair_iou(truth, boxes).amax(1) > 0.5  # <-- CAUSE
        return 1.0 - found.float().mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(602)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.gt",
    "cause_alt": ["Tensor.gt", "Tensor.__gt__", "Tensor.argsort"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "Recall",
    "source": "own",
    "notes": "",
}
