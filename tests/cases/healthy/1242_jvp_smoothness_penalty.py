# SPDX-License-Identifier: Apache-2.0
"""A forward-mode derivative along the data is penalised through functional_call."""
from torch.func import functional_call, jvp, vmap, grad
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        params = dict(self.net.named_parameters())
        f = lambda inp: functional_call(self.net, params, (inp,))
        value, slope = jvp(f, (x,), (torch.ones_like(x),))
        steep = vmap(grad(lambda one: f(one).squeeze()))(x).square().sum(1).mean()
        return F.mse_loss(value, y) + 0.01 * slope.square().mean() + 0.01 * steep

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1242)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A forward-mode derivative along the data is penalised through functional_call.',
    'all_grads_by_step': 1,
    'source': 'own',
}
