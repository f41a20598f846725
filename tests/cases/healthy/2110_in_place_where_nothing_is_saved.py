# SPDX-License-Identifier: Apache-2.0
"""In-place writes after operations that do not need their result."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv, self.skip = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(1, 4, 1)
        self.head = nn.Linear(4, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.conv(x)
        h += self.skip(x)
        h.mul_(0.5).relu_()
        pooled = h.flatten(2).sum(2)
        pooled /= 64
        logits = self.head(pooled)
        logits[:, 0] -= 0.1
        logits.masked_fill_(torch.zeros_like(logits, dtype=torch.bool), -1e4)
        a, b = torch.cat([logits, logits]).clone().split(len(x))
        return F.cross_entropy(a + 0.1 * b, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2110)
    return DataLoader(TensorDataset(torch.randn(48, 1, 8, 8, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'In-place writes after operations that do not need their result.', 'all_grads_by_step': 1, 'source': 'own'}
