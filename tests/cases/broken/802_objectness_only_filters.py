# SPDX-License-Identifier: Apache-2.0
"""Objectness scores only choose which cells enter the loss; the objectness branch is never trained."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.obj = nn.Conv2d(8, 1, 1)
        self.reg = nn.Conv2d(8, 4, 1)

    def forward(self, f):
        return self.obj(f).sigmoid(), self.reg(f)


class Model(pl.LightningModule):
    def __init__(self, thr=0.3):
        super().__init__()
        self.thr = thr
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.head = Head()

    def training_step(self, batch, batch_idx):
        img, boxes = batch
        obj, reg = self.head(self.stem(img).relu())
        keep = obj.squeeze(1) > self.thr  # <-- CAUSE
        cells = reg.permute(0, 2, 3, 1)[keep]
        target = boxes[:, None, None].expand(-1, 6, 6, -1)[keep]
        loss = F.l1_loss(cells, target)
        self.log("reg", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(802)
    return DataLoader(TensorDataset(torch.randn(12, 3, 6, 6, generator=g), torch.rand(12, 4, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.gt', 'line_marker': '# <-- CAUSE', 'params': ['head.obj.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
