# SPDX-License-Identifier: Apache-2.0
"""Parameters held in ParameterDict and ParameterList, chosen by key during the step."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gain = nn.ParameterDict({k: nn.Parameter(torch.rand(5)) for k in ("low", "high")})
        self.bias = nn.ParameterList([torch.zeros(5), torch.zeros(1)])
        self.head = nn.Linear(5, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.where(x < 0, x * self.gain["low"], x * self.gain["high"]) + self.bias[0]
        out = self.head(torch.sin(h)).squeeze(1) + self.bias[1]
        return F.gaussian_nll_loss(out, y, torch.ones_like(y))

    def configure_optimizers(self):
        return torch.optim.Adam([{"params": list(self.gain.values()), "lr": 1e-2},
                                 {"params": [*self.bias, *self.head.parameters()]}], lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(559)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Containers register what they hold.",
    "all_grads_by_step": 1,
    "source": "own",
}
