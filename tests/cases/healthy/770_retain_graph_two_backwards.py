# SPDX-License-Identifier: Apache-2.0
"""Two manual backward passes over one graph, the first one retains it; the optimizer steps once."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.enc, self.a, self.b = nn.Linear(5, 8), nn.Linear(8, 1), nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        opt.zero_grad()
        h = torch.sigmoid(self.enc(x))
        self.manual_backward(F.mse_loss(self.a(h)[:, 0], x.sum(1)), retain_graph=True)
        self.manual_backward(F.cross_entropy(self.b(h), y))
        opt.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(770)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The gradients of both losses are added.",
    "all_grads_by_step": 1,
    "source": "own",
}
