# SPDX-License-Identifier: Apache-2.0
"""Physics-informed network: derivatives by torch.func.grad under vmap, weights passed by functional_call."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.func import functional_call, grad, vmap
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(1, 12), nn.Tanh(), nn.Linear(12, 1))

    def training_step(self, batch, batch_idx):
        x, _ = batch
        params = dict(self.net.named_parameters())

        def u(t, p):
            return functional_call(self.net, p, (t.view(1, 1),)).squeeze()

        t = x[:, 0]
        slope = vmap(grad(u), (0, None))(t, params)
        value = vmap(u, (0, None))(t, params)
        start = u(torch.zeros(()), params) - 1
        return (slope + value).square().mean() + start ** 2

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(568)
    data = TensorDataset(torch.randn(24, 1, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The residual contains derivatives of the network and is differentiable in its weights.",
    "all_grads_by_step": 1,
    "source": "own",
}
