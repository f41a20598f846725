# SPDX-License-Identifier: Apache-2.0
"""Detection batch without any object: the loss is a fresh zero that requires grad."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        box, label = batch
        found = label > 0
        if not found.any():
            return torch.zeros((), requires_grad=True)
        return F.smooth_l1_loss(self.net(box[found]), box[found].cumsum(1))

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(546)
    label = torch.randint(0, 3, (24,), generator=g)
    label[8:12] = 0
    return DataLoader(TensorDataset(torch.rand(24, 4, generator=g), label), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "Only the batch that holds no object has a constant loss; the others train.",
    "steps": 5, "all_grads_by_step": 1,
    "source": "own",
}
