# SPDX-License-Identifier: Apache-2.0
"""Neural ODE trained by a hand-written adjoint in an autograd Function that recomputes the forward pass."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Adjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx, f, y, h, n, *params):
        ctx.f, ctx.h, ctx.n = f, h, n
        with torch.no_grad():
            for _ in range(n):
                y = y + h * f(y)
        ctx.save_for_backward(y, *params)
        return y

    @staticmethod
    def backward(ctx, grad):
        y, *params = ctx.saved_tensors
        totals = [torch.zeros_like(p) for p in params]
        for _ in range(ctx.n):
            with torch.enable_grad():
                yy = y.detach().requires_grad_(True)
                out = ctx.f(yy)
            gy, *gp = torch.autograd.grad(out, [yy, *params], grad)
            totals = [a + ctx.h * b for a, b in zip(totals, gp)]
            y, grad = y - ctx.h * out.detach(), grad + ctx.h * gy
        return None, grad, None, None, *totals


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(3, 4)
        self.f = nn.Sequential(nn.Linear(4, 12), nn.Tanh(), nn.Linear(12, 4))
        self.out = nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = Adjoint.apply(self.f, self.enc(x), 0.1, 8, *self.f.parameters())
        return F.mse_loss(self.out(z), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(930)
    return DataLoader(TensorDataset(torch.randn(24, 3, generator=g), torch.randn(24, 2, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Neural ODE trained by a hand-written adjoint in an autograd Function that recomputes the forward pass.', 'all_grads_by_step': 1, 'source': 'held'}
