# SPDX-License-Identifier: Apache-2.0
"""L2-SP: the distance to the pretrained weights, kept as detached clones, and EWC importances."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 3)
        self.reference = {n: p.detach().clone() + 0.1 for n, p in self.net.named_parameters()}
        self.importance = {n: torch.ones_like(p.data) for n, p in self.net.named_parameters()}

    def training_step(self, batch, batch_idx):
        x, y = batch
        ewc = sum((self.importance[n] * (p - self.reference[n]) ** 2).sum() for n, p in self.net.named_parameters())
        loss = F.cross_entropy(self.net(x), y)
        for n, p in self.net.named_parameters():
            (g,) = torch.autograd.grad(loss, p, retain_graph=True)
            self.importance[n] = 0.9 * self.importance[n] + 0.1 * g.detach() ** 2
        return loss + 0.1 * ewc

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(780)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The reference is constant, the distance is differentiable.",
    "all_grads_by_step": 1,
    "source": "own",
}
