# SPDX-License-Identifier: Apache-2.0
"""WGAN with gradient penalty: three critic updates for one of the generator."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.gen = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        self.critic = nn.Sequential(nn.Linear(2, 12), nn.SiLU(), nn.Linear(12, 1))

    def penalty(self, real, fake):
        mix = torch.lerp(real, fake, torch.rand(len(real), 1)).requires_grad_(True)
        (grad,) = torch.autograd.grad(self.critic(mix).sum(), mix, create_graph=True)
        return (grad.norm(2, dim=1) - 1).pow(2).mean()

    def training_step(self, batch, batch_idx):
        (real,) = batch
        gen_opt, critic_opt = self.optimizers()
        fake = self.gen(torch.randn(len(real), 3))
        still = fake.detach()
        loss = self.critic(still).mean() - self.critic(real).mean() + 10 * self.penalty(real, still)
        critic_opt.zero_grad()
        self.manual_backward(loss)
        critic_opt.step()
        if (batch_idx + 1) % 3 == 0:
            gen_opt.zero_grad()
            self.manual_backward(-self.critic(fake).mean())
            gen_opt.step()

    def configure_optimizers(self):
        return (torch.optim.Adam(self.gen.parameters(), lr=1e-4, betas=(0.0, 0.9)),
                torch.optim.Adam(self.critic.parameters(), lr=1e-4, betas=(0.0, 0.9)))


def dataloader():
    g = torch.Generator().manual_seed(527)
    return DataLoader(TensorDataset(torch.randn(48, 2, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The generator waits for its turn at every third batch. The critic's last bias cancels between real and fake.",
    "steps": 8, "all_grads_by_step": 3, "late": {"gen.*": 3}, "never": ["critic.2.bias"],
    "source": "own",
}
