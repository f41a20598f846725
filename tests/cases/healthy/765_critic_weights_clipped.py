# SPDX-License-Identifier: Apache-2.0
"""WGAN: the critic's weights are clamped in place under .data after each step; the generator shares the batch."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.g, self.d = nn.Linear(2, 3), nn.Linear(3, 1, bias=False)

    def training_step(self, batch, batch_idx):
        (z,) = batch
        opt_g, opt_d = self.optimizers()
        for _ in range(2):
            opt_d.zero_grad(set_to_none=False)
            self.manual_backward(self.d(self.g(z).detach()).mean() - self.d(z.repeat(1, 2)[:, :3]).mean())
            opt_d.step()
            for p in self.d.parameters():
                p.data.clamp_(-0.3, 0.3)
        opt_g.zero_grad()
        self.manual_backward(-self.d(self.g(z)).mean())
        opt_g.step()

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.g.parameters()), torch.optim.RMSprop(self.d.parameters())


def dataloader():
    g = torch.Generator().manual_seed(765)
    x = torch.randn(24, 2, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Clipping happens between the steps.",
    "all_grads_by_step": 1,
    "source": "own",
}
