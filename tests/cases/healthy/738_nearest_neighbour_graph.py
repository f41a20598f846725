# SPDX-License-Identifier: Apache-2.0
"""A graph of nearest neighbours in feature space, rebuilt in every layer by topk indices."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EdgeConv(nn.Module):
    def __init__(self, i, o, k=3):
        super().__init__()
        self.k, self.lin = k, nn.Linear(2 * i, o)

    def forward(self, h):
        near = torch.cdist(h, h).topk(self.k, largest=False).indices
        other = h.gather(1, near.flatten(1)[..., None].expand(-1, -1, h.shape[-1])).unflatten(1, (-1, self.k))
        here = h.unsqueeze(2).expand_as(other)
        return F.leaky_relu(self.lin(torch.cat([here, other - here], -1)), 0.2).amax(2)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.one, self.two, self.head = EdgeConv(3, 6), EdgeConv(6, 6), nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.two(self.one(x)).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(738)
    x = torch.randn(12, 8, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "Edge features are gathered from the live features.",
    "all_grads_by_step": 1,
    "source": "own",
}
