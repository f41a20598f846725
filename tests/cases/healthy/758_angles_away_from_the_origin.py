# SPDX-License-Identifier: Apache-2.0
"""atan2, acos and asin with a margin, pow and sqrt with an epsilon."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(3, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self.net(x)
        a = out[:, :3] / (out[:, :3].norm(dim=1, keepdim=True) + 1e-6)
        cos = (a * F.normalize(x, dim=1)).sum(1).clamp(-1 + 1e-4, 1 - 1e-4)
        angle = torch.acos(cos) + torch.asin(cos * 0.5)
        yaw = torch.atan2(out[:, 3], out[:, 4].square() + 1e-3)
        root = (out[:, 5].abs() + 1e-6).pow(0.3) + torch.sqrt(out[:, 5] ** 2 + 1e-8)
        return F.mse_loss(angle + yaw + root, y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(758)
    x = torch.randn(24, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "No argument touches the border of the domain.",
    "all_grads_by_step": 1,
    "source": "own",
}
