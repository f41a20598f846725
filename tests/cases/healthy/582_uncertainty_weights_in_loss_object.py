# SPDX-License-Identifier: Apache-2.0
"""Learned log variances live in the loss module and have their own parameter group."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MultiTask(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(n))

    def forward(self, losses):
        return (torch.exp(-self.log_var) * torch.stack(losses) + 0.5 * self.log_var).sum()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.a, self.b = nn.Linear(8, 3), nn.Linear(8, 6)
        self.criterion = MultiTask(2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.relu(self.trunk(x))
        losses = [F.cross_entropy(self.a(h), y), F.mse_loss(self.b(h), x)]
        self.log_dict({f"w{i}": w for i, w in enumerate(self.criterion.log_var.detach().exp())})
        return self.criterion(losses)

    def configure_optimizers(self):
        own = list(self.criterion.parameters())
        rest = [p for n, p in self.named_parameters() if not n.startswith("criterion")]
        return torch.optim.Adam([{"params": rest}, {"params": own, "lr": 1e-2, "weight_decay": 0}])


def dataloader():
    g = torch.Generator().manual_seed(582)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "All parameters are registered, used and optimised.",
    "all_grads_by_step": 1,
    "source": "own",
}
