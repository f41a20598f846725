# SPDX-License-Identifier: Apache-2.0
"""NaN cells are replaced before the network and NaN labels are selected out of the loss."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        gone = x.isnan()
        pred = self.net(torch.cat([x.nan_to_num(0.0), gone.float()], 1))[:, 0]
        known = ~y.isnan()
        return F.mse_loss(pred[known], y[known])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(731)
    x, y = torch.randn(24, 4, generator=g), torch.randn(24, generator=g)
    x[torch.rand(24, 4, generator=g) < 0.2] = float("nan")
    y[::5] = float("nan")
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "No NaN enters a differentiable operation.",
    "all_grads_by_step": 1,
    "source": "own",
}
