# SPDX-License-Identifier: Apache-2.0
"""Two-stage detector: proposals are detached and cast to integers to crop the feature map; RPN and head have their own losses."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Conv2d(1, 6, 3, padding=1)
        self.rpn = nn.Conv2d(6, 5, 1)
        self.head = nn.Linear(6, 3)

    def crop(self, feat, box):
        x, y = box.round().long().clamp(0, 5).tolist()
        return feat[:, y : y + 3, x : x + 3].amax((1, 2))

    def training_step(self, batch, batch_idx):
        img, target, label = batch
        f = self.backbone(img).relu()
        out = self.rpn(f)
        obj, off = out[:, 0].flatten(1), out[:, 1:3].flatten(2)
        best = obj.detach().argmax(1)
        prop = off[torch.arange(len(img)), :, best]
        rpn_loss = F.l1_loss(prop, target) + F.binary_cross_entropy_with_logits(obj, (obj.detach() > 0).float())
        rpn_loss = rpn_loss + 0.1 * out[:, 3:].pow(2).mean()
        rois = torch.stack([self.crop(a, b) for a, b in zip(f, prop.detach())])
        return rpn_loss + F.cross_entropy(self.head(rois), label)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(902)
    return DataLoader(TensorDataset(torch.randn(12, 1, 8, 8, generator=g), 5 * torch.rand(12, 2, generator=g), torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Two-stage detector: proposals are detached and cast to integers to crop the feature map; RPN and head have their own losses.', 'all_grads_by_step': 1, 'source': 'held'}
