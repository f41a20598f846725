# SPDX-License-Identifier: Apache-2.0
"""Per-sample parameters through torch.func: stacked ensemble, vmap and functional_call."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.func import functional_call, vmap


class Model(pl.LightningModule):
    def __init__(self, members=3):
        super().__init__()
        self.base = (nn.Linear(4, 1).requires_grad_(False),)
        self.weight = nn.Parameter(torch.randn(members, 1, 4))
        self.bias = nn.Parameter(torch.zeros(members, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        one = lambda w, b, z: functional_call(self.base[0], {"weight": w, "bias": b}, (z,))  # noqa: E731
        out = vmap(one, in_dims=(0, 0, None))(self.weight, self.bias, x)
        return F.mse_loss(out[..., 0], y.expand(len(out), -1))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(749)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The functional transforms keep the graph to the stacked parameters.",
    "all_grads_by_step": 1,
    "source": "own",
}
