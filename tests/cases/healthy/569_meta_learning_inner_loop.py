# SPDX-License-Identifier: Apache-2.0
"""MAML: fast weights by autograd.grad with create_graph, outer loss through functional_call."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 10), nn.Tanh(), nn.Linear(10, 1))
        self.log_lr = nn.Parameter(torch.tensor(-2.0))

    def training_step(self, batch, batch_idx):
        x, y = batch
        fast = dict(self.net.named_parameters())
        for _ in range(2):
            inner = F.mse_loss(functional_call(self.net, fast, (x[:4],)).squeeze(1), y[:4])
            grads = torch.autograd.grad(inner, list(fast.values()), create_graph=True)
            fast = {k: p - self.log_lr.exp() * g for (k, p), g in zip(fast.items(), grads, strict=True)}
        self.log("inner", inner.detach())
        return F.mse_loss(functional_call(self.net, fast, (x[4:],)).squeeze(1), y[4:])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(569)
    data = TensorDataset(torch.randn(24, 2, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The fast weights are functions of the parameters and of the learned step size.",
    "all_grads_by_step": 1,
    "source": "own",
}
