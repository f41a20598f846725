# SPDX-License-Identifier: Apache-2.0
"""Pairwise ranking loss weighted by the change in NDCG, with ranks from argsort of the scores."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.scorer = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 1))

    def training_step(self, batch, batch_idx):
        x, rel = batch
        score = self.scorer(x).squeeze(1)
        order = torch.argsort(score, descending=True)
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        discount = 1 / torch.log2(rank.float() + 2)
        gain = (2.0 ** rel.float() - 1)
        delta = ((gain[:, None] - gain[None]) * (discount[:, None] - discount[None])).abs()
        better = rel[:, None] > rel[None]
        margin = score[:, None] - score[None]
        return (delta * F.softplus(-margin))[better].mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(519)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Ranks are constants of the weighting; the score differences are differentiable.",
    "all_grads_by_step": 1,
    "source": "own",
}
