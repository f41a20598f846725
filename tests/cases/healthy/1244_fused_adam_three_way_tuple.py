# SPDX-License-Identifier: Apache-2.0
"""Manual optimization with three fused optimizers returned as a tuple."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.enc, self.head, self.bias = nn.Linear(6, 8), nn.Linear(8, 1), nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.mse_loss(self.head(self.enc(x).relu()) + self.bias, y)
        for opt in (opts := self.optimizers()):
            opt.zero_grad()
        self.manual_backward(loss)
        [opt.step() for opt in opts]
        return {"loss": loss.detach(), "n": len(x)}

    def configure_optimizers(self):
        make = lambda ps: torch.optim.Adam(ps, lr=1e-3, fused=True)
        return make(self.enc.parameters()), make(self.head.parameters()), make([self.bias])


def dataloader():
    g = torch.Generator().manual_seed(1244)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Manual optimization with three fused optimizers returned as a tuple.',
    'all_grads_by_step': 1,
    'source': 'own',
}
