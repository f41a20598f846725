# SPDX-License-Identifier: Apache-2.0
"""An expensive auxiliary decoder is evaluated on every third step only."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(6, 10), nn.Linear(10, 3)
        self.aux = nn.Sequential(nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 6))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.relu(self.body(x))
        loss = F.cross_entropy(self.head(h), y)
        if (self.global_step + 1) % 3 == 0:
            loss = loss + 0.5 * F.mse_loss(self.aux(h), x)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(544)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The decoder gets its gradients when it is used, at steps 3, 6 and so on.",
    "steps": 6, "all_grads_by_step": 3, "late": {"aux.*": 3},
    "source": "own",
}
