# SPDX-License-Identifier: Apache-2.0
"""Dataset condensation: gradients of a throw-away random network on synthetic images are matched with those on real ones."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, classes=2, per_class=3):
        super().__init__()
        self.images = nn.Parameter(torch.randn(classes * per_class, 1, 4, 4))
        self.register_buffer("labels", torch.arange(classes).repeat_interleave(per_class))

    def training_step(self, batch, batch_idx):
        x, y = batch
        net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(16, 2))
        weights = list(net.parameters())
        real = torch.autograd.grad(F.cross_entropy(net(x), y), weights)
        real = [g.detach().clone() for g in real]
        syn = torch.autograd.grad(F.cross_entropy(net(self.images), self.labels), weights, create_graph=True)
        return sum(1 - F.cosine_similarity(a.flatten(), b.flatten(), dim=0) for a, b in zip(real, syn))

    def configure_optimizers(self):
        return torch.optim.SGD([self.images], lr=0.1, momentum=0.5)


def dataloader():
    g = torch.Generator().manual_seed(958)
    return DataLoader(TensorDataset(torch.randn(24, 1, 4, 4, generator=g), torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Dataset condensation: gradients of a throw-away random network on synthetic images are matched with those on real ones.', 'all_grads_by_step': 1, 'source': 'held'}
