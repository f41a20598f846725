# SPDX-License-Identifier: Apache-2.0
"""Loss weights and a margin are Python floats read off the losses by .item()."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 8)
        self.cls, self.rec = nn.Linear(8, 3), nn.Linear(8, 6)
        self.ratio = 1.0

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = F.hardtanh(0.2 * self.net(x), -4, 4)
        ce, mse = F.cross_entropy(self.cls(h), y), F.mse_loss(self.rec(h), x)
        self.ratio = 0.8 * self.ratio + 0.2 * ce.item() / max(mse.item(), 1e-6)
        weight = torch.tensor(self.ratio)
        return ce + weight * mse

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(515)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The balance factor is a constant; both losses keep their graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
