# SPDX-License-Identifier: Apache-2.0
"""Segmentation with a distance map computed by scipy from the target mask and multiplied into the probabilities."""

import numpy as np
import pytorch_lightning as pl
import torch
from scipy.ndimage import distance_transform_edt
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 1, 1))

    @staticmethod
    def signed_distance(mask):
        maps = [distance_transform_edt(1 - m) - distance_transform_edt(m) for m in mask.cpu().numpy()]
        return torch.from_numpy(np.stack(maps)).float()

    def training_step(self, batch, batch_idx):
        img, ref = batch
        mask = (ref > 0.5).to(torch.uint8)
        prob = torch.sigmoid(self.net(img))
        dist = self.signed_distance(mask[:, 0])[:, None]
        dice = 1 - (2 * (prob * mask).sum() + 1) / (prob.sum() + mask.sum() + 1)
        return dice + 0.05 * (prob * dist).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(526)
    data = TensorDataset(torch.randn(6, 1, 6, 6, generator=g), torch.rand(6, 1, 6, 6, generator=g))
    return DataLoader(data, batch_size=2)


EXPECT = {
    "verdict": "healthy",
    "why": "numpy and scipy touch the target only.",
    "all_grads_by_step": 1,
    "source": "own",
}
