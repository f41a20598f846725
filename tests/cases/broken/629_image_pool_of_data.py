# SPDX-License-Identifier: Apache-2.0
"""The history buffer of a CycleGAN hands out the data of the images, also to the generator's loss."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ImagePool:
    def __init__(self, size):
        self.size, self.images = size, []

    def query(self, images):
        out = []
        for image in images:
            image = torch.unsqueeze(image.data, 0)  # <-- CAUSE
            if len(self.images) < self.size:
                self.images.append(image)
            out.append(image)
        return torch.cat(out, 0)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.g_ab, self.g_ba = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3, padding=1)
        self.d = nn.Conv2d(1, 1, 3)
        self.pool = ImagePool(6)

    def training_step(self, batch, batch_idx):
        (a,) = batch
        fake = self.pool.query(self.g_ab(a))
        cycle = F.l1_loss(self.g_ba(fake), a)
        score = self.d(fake)
        return F.mse_loss(score, torch.ones_like(score)) + 10 * cycle

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(629)
    x = torch.randn(12, 1, 5, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.data",
    "cause_alt": ["data"],
    "line_marker": "# <-- CAUSE",
    "params": ["g_ab.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
