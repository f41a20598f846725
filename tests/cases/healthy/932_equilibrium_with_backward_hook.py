# SPDX-License-Identifier: Apache-2.0
"""Deep equilibrium model with the implicit gradient solved inside a tensor hook on the re-attached state."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.w, self.u, self.head = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 2)

    def f(self, z, x):
        return torch.tanh(0.3 * self.w(z) + self.u(x))

    def equilibrium(self, x):
        with torch.no_grad():
            z = torch.zeros_like(x)
            for _ in range(25):
                z = self.f(z, x)
        z = self.f(z, x)
        z0 = z.clone().detach().requires_grad_()
        f0 = self.f(z0, x)

        def implicit(grad):
            g = grad
            for _ in range(15):
                g = torch.autograd.grad(f0, z0, g, retain_graph=True)[0] + grad
            return g

        z.register_hook(implicit)
        return z

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.equilibrium(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(932)
    return DataLoader(TensorDataset(torch.randn(24, 5, generator=g), torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Deep equilibrium model with the implicit gradient solved inside a tensor hook on the re-attached state.', 'all_grads_by_step': 1, 'source': 'held'}
