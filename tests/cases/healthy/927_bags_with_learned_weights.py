# SPDX-License-Identifier: Apache-2.0
"""Click-through model: EmbeddingBag with learned per-sample weights, one column without any entry in the first batch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, dim=4):
        super().__init__()
        self.tags = nn.EmbeddingBag(20, dim, mode="sum")
        self.rare = nn.EmbeddingBag(5, dim, mode="mean")
        self.weight = nn.Embedding(20, 1)
        self.out = nn.Linear(2 * dim, 1)

    def training_step(self, batch, batch_idx):
        tags, has, y = batch
        a = self.tags(tags, per_sample_weights=self.weight(tags).squeeze(-1).sigmoid())
        flat = has.nonzero()[:, 1]
        counts = has.sum(1)
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)[:-1]])
        b = self.rare(flat, offsets)
        return F.binary_cross_entropy_with_logits(self.out(torch.cat([a, b], 1)).squeeze(1), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(927)
    h = torch.randint(0, 2, (24, 5), generator=g)
    h[:8] = 0
    return DataLoader(TensorDataset(torch.randint(0, 20, (24, 6), generator=g), h, torch.rand(24, generator=g).round()), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Click-through model: EmbeddingBag with learned per-sample weights, one column without any entry in the first batch.', 'all_grads_by_step': 2, 'source': 'held', 'late': {'rare.weight': 2}}
