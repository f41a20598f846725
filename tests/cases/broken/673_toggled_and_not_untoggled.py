# SPDX-License-Identifier: Apache-2.0
"""toggle_optimizer freezes the generator for the discriminator's turn, untoggle is missing."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.g, self.d = nn.Linear(2, 4), nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        (z,) = batch
        opt_g, opt_d = self.optimizers()
        self.toggle_optimizer(opt_d)  # <-- CAUSE
        real = torch.cat([z, z.sin()], 1)
        loss = F.softplus(self.d(self.g(z).detach())).mean() + F.softplus(-self.d(real)).mean()
        opt_d.zero_grad()
        self.manual_backward(loss)
        opt_d.step()
        loss = F.softplus(-self.d(self.g(z))).mean()
        opt_g.zero_grad()
        self.manual_backward(loss)
        opt_g.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.g.parameters()), torch.optim.Adam(self.d.parameters())


def dataloader():
    g = torch.Generator().manual_seed(673)
    x = torch.randn(24, 2, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "toggle_optimizer",
    "cause_alt": ["LightningModule.toggle_optimizer", "requires_grad", "requires_grad_", "Tensor.requires_grad_", "requires_grad="],
    "line_marker": "# <-- CAUSE",
    "params": ["g.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
