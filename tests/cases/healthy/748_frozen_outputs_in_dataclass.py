# SPDX-License-Identifier: Apache-2.0
"""Frozen dataclasses and a tree_map move the outputs around."""

import copy
import dataclasses

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils import _pytree as pytree


@dataclasses.dataclass(frozen=True, slots=True)
class Latent:
    mean: torch.Tensor
    scale: torch.Tensor

    def rsample(self):
        return self.mean + self.scale * torch.randn_like(self.scale)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 4), nn.Linear(2, 6)
        self.last = None

    def training_step(self, batch, batch_idx):
        (x,) = batch
        mean, raw = self.enc(x).chunk(2, 1)
        tree = pytree.tree_map(lambda t: t.clone().contiguous(), {"mean": mean, "scale": F.softplus(raw)})
        latent = dataclasses.replace(Latent(**tree), scale=tree["scale"] + 1e-3)
        self.last = copy.copy(latent.mean.detach())
        kl = -torch.log(latent.scale).mean() + 0.5 * (latent.mean**2 + latent.scale**2).mean()
        return F.mse_loss(self.dec(latent.rsample()), x) + 0.1 * kl

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(748)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Containers do not touch the graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
