# SPDX-License-Identifier: Apache-2.0
"""Manual optimisation through the bare torch optimizer, which Lightning's hooks do not see."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"max_epochs": 2, "max_steps": -1}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Linear(5, 8), nn.Mish(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers(use_pl_optimizer=False)
        loss = F.mse_loss(self.net(x).squeeze(1), y)
        loss.backward()
        opt.step()
        self.log("loss", loss.detach())

    def on_train_batch_start(self, batch, batch_idx):
        self.zero_grad()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(536)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Gradients appear and are used without any backward hook of Lightning.",
    "all_grads_by_step": 1,
    "source": "own",
}
