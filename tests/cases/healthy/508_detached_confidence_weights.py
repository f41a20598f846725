# SPDX-License-Identifier: Apache-2.0
"""Samples are weighted by the model's own confidence, which is held constant."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 12), nn.SiLU(), nn.Linear(12, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        conf = logits.softmax(1).max(1).values.detach()
        weight = conf / conf.sum()
        focal = (1 - logits.detach().softmax(1).gather(1, y[:, None]).squeeze(1)) ** 2
        return (weight * focal * F.cross_entropy(logits, y, reduction="none")).sum()

    def configure_optimizers(self):
        return torch.optim.NAdam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(508)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Both detached weights multiply a loss that is differentiable itself.",
    "all_grads_by_step": 1,
    "source": "own",
}
