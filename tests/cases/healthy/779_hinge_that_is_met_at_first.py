# SPDX-License-Identifier: Apache-2.0
"""An auxiliary margin term is satisfied in the first batches and becomes active later."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self.net(x)
        margin = F.relu(out.norm(dim=1) - (100.0 if self.global_step < 3 else 0.1)).mean()
        self.log("margin", margin)
        return F.mse_loss(out[:, 0], y) + F.mse_loss(out[:, 1], -y) + margin

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(779)
    x = torch.randn(48, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(48, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "A satisfied hinge has no gradient and needs none.",
    "all_grads_by_step": 1,
    "steps": 5,
    "source": "own",
}
