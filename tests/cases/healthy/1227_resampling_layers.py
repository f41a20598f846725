# SPDX-License-Identifier: Apache-2.0
"""interpolate, pixel_shuffle, unfold and fold."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.mix = nn.Conv2d(4, 4, 1)
        self.out = nn.Linear(64, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = F.interpolate(self.stem(x).relu(), scale_factor=0.5, mode="nearest")
        h = F.pixel_shuffle(self.mix(h), 2)
        h = F.fold(F.unfold(h, 2, stride=2), (8, 8), 2, stride=2)
        h = F.interpolate(h, size=(8, 8), mode="bilinear", align_corners=False)
        return F.cross_entropy(self.out(h.flatten(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1227)
    return DataLoader(TensorDataset(torch.randn(24, 1, 8, 8, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'interpolate, pixel_shuffle, unfold and fold.',
    'all_grads_by_step': 1,
    'source': 'own',
}
