# SPDX-License-Identifier: Apache-2.0
"""LambdaLR whose first factor is zero: the first step changes nothing, and one part stays at zero for longer."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(5, 8), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(F.softsign(self.body(x))).squeeze(1), y)

    def configure_optimizers(self):
        opt = torch.optim.AdamW([
            {"params": self.body.parameters(), "lr": 1e-3},
            {"params": self.head.parameters(), "lr": 1e-2},
        ], weight_decay=0.0)
        ramps = [lambda step: max(0.0, (step - 1) / 4), lambda step: min(1.0, step / 2)]
        sched = torch.optim.lr_scheduler.LambdaLR(opt, ramps)
        return {"optimizer": opt, "lr_scheduler": {"scheduler": sched, "interval": "step"}}


def dataloader():
    g = torch.Generator().manual_seed(590)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Gradients are there from the first step, the learning rate is not.",
    "steps": 4, "all_grads_by_step": 1,
    "source": "own",
}
