# SPDX-License-Identifier: Apache-2.0
"""T5-like buckets of constant distances index a learned bias."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
        self.bias = nn.Embedding(4, 1)
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pos = torch.arange(5)
        gap = (pos[:, None] - pos).abs().float()
        bucket = torch.bucketize(gap, torch.tensor([0.5, 1.5, 2.5]))
        att = self.q(x) @ self.k(x).mT / 6**0.5 + self.bias(bucket).squeeze(-1)
        return F.cross_entropy(self.out((att.softmax(-1) @ x)[:, 0]), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1226)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'T5-like buckets of constant distances index a learned bias.',
    'all_grads_by_step': 1,
    'source': 'own',
}
