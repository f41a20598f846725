# SPDX-License-Identifier: Apache-2.0
"""WGAN with gradient penalty, critic only, the generator's samples are detached on purpose."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.g, self.d = nn.Linear(2, 4), nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1, bias=False))

    def training_step(self, batch, batch_idx):
        (z,) = batch
        opt_g, opt_d = self.optimizers()
        real, fake = torch.cat([z.sin(), z.cos()], 1), self.g(z)
        if batch_idx % 2:
            opt_g.zero_grad()
            self.manual_backward(-self.d(fake).mean())
            opt_g.step()
            return
        mix = torch.lerp(real, fake.detach(), torch.rand(len(z), 1)).requires_grad_()
        (grad,) = torch.autograd.grad(self.d(mix).sum(), mix, create_graph=True)
        loss = self.d(fake.detach()).mean() - self.d(real).mean() + 10 * (grad.norm(dim=1) - 1).square().mean()
        opt_d.zero_grad()
        self.manual_backward(loss)
        opt_d.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.g.parameters()), torch.optim.Adam(self.d.parameters())


def dataloader():
    g = torch.Generator().manual_seed(754)
    x = torch.randn(32, 2, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Double backward through the critic; the generator is trained in its own turn.",
    "all_grads_by_step": 2,
    "late": {"g.*": 2},
    "steps": 4,
    "source": "own",
}
