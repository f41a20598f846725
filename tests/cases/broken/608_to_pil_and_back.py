# SPDX-License-Identifier: Apache-2.0
"""A pair of transforms in the manner of image libraries: eight bits there, floats back."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class ToPicture:
    def __call__(self, t):
        return t.mul(255).add(0.5).clamp(0, 255).permute(0, 2, 3, 1).to("cpu", torch.uint8)  # <-- CAUSE


class FromPicture:
    def __call__(self, picture):
        return picture.permute(0, 3, 1, 2).to(torch.get_default_dtype()) / 255


class Compose:
    def __init__(self, *fns):
        self.fns = fns

    def __call__(self, t):
        for fn in self.fns:
            t = fn(t)
        return t


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gen = nn.Sequential(nn.ConvTranspose2d(2, 3, 2, stride=2), nn.Sigmoid())
        self.augment = Compose(ToPicture(), FromPicture())

    def training_step(self, batch, batch_idx):
        (z,) = batch
        out = self.augment(self.gen(z))
        return F.mse_loss(out, torch.zeros_like(out))

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(608)
    x = torch.randn(9, 2, 3, 3, generator=g)
    return DataLoader(TensorDataset(x), batch_size=3)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.to",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
