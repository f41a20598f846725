# SPDX-License-Identifier: Apache-2.0
"""Swapped prediction: balanced codes by Sinkhorn without grad, prototypes normalised in place, frozen at first."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4))
        self.prototypes = nn.Linear(4, 5, bias=False)

    @torch.no_grad()
    def codes(self, scores):
        q = torch.exp(scores / 0.1).t()
        q /= q.sum()
        for _ in range(3):
            q /= q.sum(1, keepdim=True) * len(q)
            q /= q.sum(0, keepdim=True) * q.shape[1]
        return (q * q.shape[1]).t()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        with torch.no_grad():
            self.prototypes.weight.copy_(F.normalize(self.prototypes.weight, dim=1))
        views = [x + 0.1 * torch.randn_like(x) for _ in range(2)]
        a, b = (self.prototypes(F.normalize(self.net(v), dim=1)) for v in views)
        cross = (self.codes(a) * F.log_softmax(b / 0.2, 1)).sum(1) + (self.codes(b) * F.log_softmax(a / 0.2, 1)).sum(1)
        return -0.5 * cross.mean()

    def on_after_backward(self):
        if self.global_step < 1:
            self.prototypes.weight.grad = None

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(586)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Codes are targets; the prototypes' gradient is thrown away in the first step by design.",
    "all_grads_by_step": 1,
    "source": "own",
}
