# SPDX-License-Identifier: Apache-2.0
"""GIoU of boxes that do not overlap: the clamped intersection is zero, the enclosing box still gives gradients."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def giou_loss(p, t):
    inter = (torch.min(p[:, 2:], t[:, 2:]) - torch.max(p[:, :2], t[:, :2])).clamp(min=0).prod(1)
    union = (p[:, 2:] - p[:, :2]).prod(1) + (t[:, 2:] - t[:, :2]).prod(1) - inter
    hull = (torch.max(p[:, 2:], t[:, 2:]) - torch.min(p[:, :2], t[:, :2])).prod(1)
    return (1 - inter / union + (hull - union) / hull).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 4))

    def training_step(self, batch, batch_idx):
        x, gt = batch
        c, s = self.net(x).sigmoid().chunk(2, 1)
        return giou_loss(torch.cat([c - s / 2, c + s / 2], 1), gt)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(901)
    a = 8 + torch.rand(12, 2, generator=g) * 20
    return DataLoader(TensorDataset(torch.randn(12, 6, generator=g), torch.cat([a, a + 10], 1)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'GIoU of boxes that do not overlap: the clamped intersection is zero, the enclosing box still gives gradients.', 'all_grads_by_step': 1, 'source': 'held'}
