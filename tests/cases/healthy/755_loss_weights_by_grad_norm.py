# SPDX-License-Identifier: Apache-2.0
"""GradNorm-like balancing: gradient norms by autograd.grad become constant weights."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.a, self.b = nn.Linear(5, 8), nn.Linear(8, 3), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x).relu()
        losses = [F.cross_entropy(self.a(h), y), F.mse_loss(self.b(h)[:, 0], x.sum(1))]
        norms = [torch.autograd.grad(v, self.body.weight, retain_graph=True)[0].norm() for v in losses]
        weights = torch.tensor([1 / (n.item() + 1e-6) for n in norms])
        weights = weights / weights.sum()
        return torch.dot(weights, torch.stack(losses))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(755)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The weights are numbers, the losses stay in the graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
