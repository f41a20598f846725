# SPDX-License-Identifier: Apache-2.0
"""Diffusion-transformer block: shift, scale and gate come from a conditioning layer initialised to zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm = nn.LayerNorm(dim, elementwise_affine=False)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.mod = nn.Sequential(nn.SiLU(), nn.Linear(dim, 3 * dim))
        nn.init.zeros_(self.mod[1].weight)
        nn.init.zeros_(self.mod[1].bias)

    def forward(self, x, cond):
        shift, scale, gate = self.mod(cond).chunk(3, dim=-1)
        return x + gate * self.mlp(self.norm(x) * (1 + scale) + shift)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cond = nn.Embedding(3, 6)
        self.block, self.out = Block(6), nn.Linear(6, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        noise = torch.randn_like(x)
        return F.mse_loss(self.out(self.block(0.8 * x + 0.6 * noise, self.cond(y))), noise)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(540)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "While the gate is zero neither the branch nor the conditioning can learn; the gate itself learns at once.",
    "steps": 4, "all_grads_by_step": 2, "late": {"block.mlp.*": 2, "cond.*": 2},
    "source": "own",
}
