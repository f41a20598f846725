# SPDX-License-Identifier: Apache-2.0
"""DINO: centred and sharpened teacher, and the last layer's gradients set to None for the first two steps."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student = nn.ModuleDict({"body": nn.Linear(6, 8), "last": nn.Linear(8, 5, bias=False)})
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.register_buffer("centre", torch.zeros(1, 5))

    @staticmethod
    def run(net, x):
        return net["last"](F.normalize(F.gelu(net["body"](x)), dim=-1))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        with torch.no_grad():
            t = self.run(self.teacher, x)
            target = ((t - self.centre) / 0.04).softmax(-1)
            self.centre.mul_(0.9).add_(0.1 * t.mean(0, keepdim=True))
        s = self.run(self.student, x + 0.2 * torch.randn_like(x)) / 0.1
        return -(target * s.log_softmax(-1)).sum(-1).mean()

    def on_after_backward(self):
        if self.global_step < 2:
            for p in self.student["last"].parameters():
                p.grad = None

    def optimizer_step(self, *args, **kwargs):
        super().optimizer_step(*args, **kwargs)
        with torch.no_grad():
            for t, s in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
                t.mul_(0.99).add_(s, alpha=0.01)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.student.parameters())


def dataloader():
    g = torch.Generator().manual_seed(592)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The module removes gradients after backward, for two steps, to stabilise the start.",
    "steps": 5, "all_grads_by_step": 1,
    "source": "own",
}
