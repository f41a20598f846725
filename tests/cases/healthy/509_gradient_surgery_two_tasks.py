# SPDX-License-Identifier: Apache-2.0
"""Two task gradients are computed by autograd.grad, projected against each other and written to .grad by hand."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.trunk = nn.Linear(5, 8)
        self.heads = nn.ModuleList([nn.Linear(8, 1), nn.Linear(8, 1)])

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        opt.zero_grad()
        h = torch.relu(self.trunk(x))
        losses = [F.mse_loss(self.heads[0](h).squeeze(1), y), self.heads[1](h).cosh().log().mean()]
        shared = list(self.trunk.parameters())
        flat = [torch.cat([g.flatten() for g in torch.autograd.grad(v, shared, retain_graph=True)]) for v in losses]
        dot = flat[0] @ flat[1]
        if dot < 0:
            flat[0] = flat[0] - dot / flat[1].dot(flat[1]).clamp_min(1e-12) * flat[1]
        for v, head in zip(losses, self.heads, strict=True):
            own = list(head.parameters())
            for p, g in zip(own, torch.autograd.grad(v, own, retain_graph=True), strict=True):
                p.grad = g
        total, at = flat[0] + flat[1], 0
        for p in shared:
            p.grad = total[at:at + p.numel()].view_as(p).clone()
            at += p.numel()
        opt.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(509)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "No backward() is called at all; the optimizer finds the gradients it needs.",
    "all_grads_by_step": 1,
    "source": "own",
}
