# SPDX-License-Identifier: Apache-2.0
"""Manual GAN: the generator step reuses the detached fake batch of the discriminator step."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, latent=3):
        super().__init__()
        self.automatic_optimization = False
        self.latent = latent
        self.generator = nn.Sequential(nn.Linear(latent, 8), nn.ReLU(), nn.Linear(8, 4))
        self.critic = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(), nn.Linear(8, 1))

    def configure_optimizers(self):
        make = lambda m, lr: torch.optim.RMSprop(m.parameters(), lr=lr)  # noqa: E731
        return make(self.generator, 1e-3), make(self.critic, 1e-3)

    def training_step(self, batch, batch_idx):
        (real,) = batch
        g_opt, c_opt = self.optimizers()
        fake = self.generator(torch.randn(real.size(0), self.latent)).detach()  # <-- CAUSE

        c_opt.zero_grad()
        self.manual_backward(self.critic(fake).mean() - self.critic(real).mean())
        c_opt.step()

        g_opt.zero_grad()
        self.manual_backward(-self.critic(fake).mean())  # <-- ALSO
        g_opt.step()


def dataloader():
    g = torch.Generator().manual_seed(380)
    return DataLoader(TensorDataset(torch.randn(12, 4, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["generator.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
