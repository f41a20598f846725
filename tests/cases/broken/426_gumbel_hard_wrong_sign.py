# SPDX-License-Identifier: Apache-2.0
"""Own Gumbel-softmax whose straight-through line forgets a detach: minus and plus cancel."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def sample_gumbel(shape):
    u = torch.rand(shape).clamp(1e-6, 1 - 1e-6)
    return -torch.log(-torch.log(u))


def gumbel_hard(logits, tau=1.0):
    soft = F.softmax((logits + sample_gumbel(logits.shape)) / tau, dim=-1)
    hard = F.one_hot(soft.argmax(-1), logits.size(-1)).float()
    return hard - soft + soft  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.selector = nn.Linear(6, 4)
        self.codebook = nn.Parameter(torch.randn(4, 6))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        pick = gumbel_hard(self.selector(x), tau=0.7)
        return F.mse_loss(pick @ self.codebook, x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(426)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "sub",
    "cause_alt": ["add", "argmax"],
    "line_marker": "# <-- CAUSE",
    "params": ["selector.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
