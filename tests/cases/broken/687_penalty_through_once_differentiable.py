# SPDX-License-Identifier: Apache-2.0
"""A gradient penalty goes through a Function that can be differentiated only once."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.autograd.function import once_differentiable


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    @once_differentiable  # <-- CAUSE
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * (s + x * s * (1 - s))


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(4, 8), nn.Linear(8, 1)

    def forward(self, x):
        return self.two(Swish.apply(self.one(x)))  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.critic = Critic()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        x = x.requires_grad_()
        out = self.critic(x)
        (grad,) = torch.autograd.grad(out.sum(), x, create_graph=True)  # <-- ALSO
        return out.mean() + (grad.norm(dim=1) - 1).square().mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(687)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "once_differentiable",
    "cause_alt": ["Clip", "ClipBackward", "SwishBackward", "Swish"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "once_differentiable",
    "source": "own",
    "notes": "",
}
