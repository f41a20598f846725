# SPDX-License-Identifier: Apache-2.0
"""Supervised contrastive loss: self pairs masked with -inf, positives by a label mask, empty rows skipped."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 12), nn.ReLU())
        self.projector = nn.Linear(12, 5)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = F.normalize(self.projector(self.encoder(x)), dim=-1)
        self_pair = torch.eye(len(x), dtype=torch.bool)
        sim = (z @ z.t() / 0.2).masked_fill(self_pair, float("-inf"))
        log_prob = sim - torch.logsumexp(sim, dim=1, keepdim=True)
        positive = (y[:, None] == y[None]) & ~self_pair
        count = positive.sum(1)
        per_row = -log_prob.masked_fill(~positive, 0.0).sum(1)
        rows = count.nonzero().squeeze(1)
        return (per_row[rows] / count[rows]).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(579)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The masks come from labels and positions; the similarities left over train both parts.",
    "all_grads_by_step": 1,
    "source": "own",
}
