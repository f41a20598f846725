# SPDX-License-Identifier: Apache-2.0
"""SoftSort: the sorted values come from sort(), the relaxed permutation multiplies the items; hard order is logged."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.score = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
        self.out = nn.Linear(15, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.score(x)
        top = s.sort(dim=1, descending=True)[0]
        perm = (-(top - s.transpose(1, 2)).abs() / 0.5).softmax(-1)
        hard = perm.argmax(-1)
        self.log("valid_permutation", (hard.sort(1)[0] == torch.arange(5)).all(1).float().mean())
        return F.cross_entropy(self.out((perm @ x).flatten(1)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(940)
    return DataLoader(TensorDataset(torch.randn(24, 5, 3, generator=g), torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'SoftSort: the sorted values come from sort(), the relaxed permutation multiplies the items; hard order is logged.', 'all_grads_by_step': 1, 'source': 'held'}
