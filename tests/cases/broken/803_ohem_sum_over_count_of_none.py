# SPDX-License-Identifier: Apache-2.0
"""Online hard example mining divides by the number of pixels above the loss threshold; in the third batch there is none."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class OhemLoss(nn.Module):
    def __init__(self, thresh):
        super().__init__()
        self.thresh = thresh

    def forward(self, logits, target):
        pixel = F.cross_entropy(logits, target, reduction="none")
        hard = (pixel.detach() > self.thresh).float()
        return (pixel * hard).sum() / hard.sum()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 2, 1))
        self.criterion = OhemLoss(0.3)

    def training_step(self, batch, batch_idx):
        img, seg = batch
        out = self.net(img)
        easy = torch.stack([1 - seg, seg], 1) * 9.0
        out = out + easy * (img.abs().amax((1, 2, 3)) < 0.5)[:, None, None, None]  # hints on synthetic easy images
        return self.criterion(out, seg)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(803)
    x = torch.randn(16, 2, 5, 5, generator=g)
    x[8:12] *= 0.05
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (16, 5, 5), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'div', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'nonfinite', 'onset_step': 3, 'steps': 3, 'loss_finite': True}
