# SPDX-License-Identifier: Apache-2.0
"""Binary weight network: the sign of a latent weight is used, the latent weight is trained through a detach."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class BinaryLinear(nn.Linear):
    def forward(self, x):
        scale = self.weight.abs().mean(1, keepdim=True)
        binary = scale * torch.sign(self.weight)
        weight = self.weight.clamp(-1, 1) + (binary - self.weight.clamp(-1, 1)).detach()
        return F.linear(x, weight, self.bias)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(BinaryLinear(6, 16), nn.Hardtanh(), BinaryLinear(16, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(500)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The sign has derivative zero, yet the latent weight gets the gradient of the clamp beside it.",
    "all_grads_by_step": 1,
    "source": "own",
}
