# SPDX-License-Identifier: Apache-2.0
"""The running normaliser needs one batch before training starts: the first step returns None."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 1)
        self.register_buffer("mean", torch.zeros(5))
        self.register_buffer("seen", torch.tensor(0))

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.seen += 1
        self.mean += (x.mean(0) - self.mean) / self.seen
        if self.seen < 2:
            return None
        return F.mse_loss(self.net(x - self.mean).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(545)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "A skipped batch says nothing about the gradients.",
    "all_grads_by_step": 2, "late": {"net.*": 2},
    "source": "own",
}
