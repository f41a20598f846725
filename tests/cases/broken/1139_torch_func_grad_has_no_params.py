# SPDX-License-Identifier: Apache-2.0
"""A gradient penalty uses functional_call with the detached parameters."""
from torch.func import functional_call, grad, vmap
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def slope(self, x):
        params = {k: v.detach() for k, v in self.net.named_parameters()}  # <-- CAUSE
        f = lambda one: functional_call(self.net, params, (one,)).squeeze()
        return vmap(grad(f))(x).square().sum(1).mean()  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        slope = self.slope(x)
        self.log("slope", slope)
        return F.mse_loss(self.net(x), y) + 0.1 * slope

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1139)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'torch.func.grad',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A gradient penalty uses functional_call with the detached parameters.',
    'term': 'slope',
}
