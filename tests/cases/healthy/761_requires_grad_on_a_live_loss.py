# SPDX-License-Identifier: Apache-2.0
"""requires_grad_() is called on a loss that is differentiable already."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.net(x.clone().requires_grad_(True)), y)
        loss.requires_grad_(True)
        loss.retain_grad()
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(761)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The call does nothing.",
    "all_grads_by_step": 1,
    "source": "own",
}
