# SPDX-License-Identifier: Apache-2.0
"""A helper logs loss + number; the loss that is returned has no number added."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)
        self.best = 0.0

    def show(self, loss):
        self.best = max(self.best, loss.item())
        total = loss.detach() + self.best
        self.log("total", total)
        return {"shown": total}

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.mse_loss(self.net(x), y)
        return {"loss": loss, **self.show(loss)}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1370)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A helper logs loss + number; the loss that is returned has no number added.',
    'all_grads_by_step': 1,
    'source': 'own',
}
