# SPDX-License-Identifier: Apache-2.0
"""Discrete bottleneck: gumbel_softmax(hard=True) picks a row of a code table."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 5)
        self.codes = nn.Parameter(torch.randn(5, 4))
        self.dec = nn.Linear(4, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        logits = self.enc(x)
        pick = F.gumbel_softmax(logits, tau=0.8, hard=True)
        usage = torch.bincount(pick.argmax(1), minlength=5)
        self.log("codes_used", (usage > 0).float().sum())
        return F.mse_loss(self.dec(pick @ self.codes), x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(502)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The hard one-hot sample carries the gradient of the soft sample; the argmax serves a log only.",
    "all_grads_by_step": 1,
    "source": "own",
}
