# SPDX-License-Identifier: Apache-2.0
"""A learned query attends over sequences of which some keys are padding."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 2, 6))
        self.att = nn.MultiheadAttention(6, 2, batch_first=True)
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pad = torch.arange(5)[None] > torch.arange(len(x))[:, None] % 5
        h, w = self.att(self.query.expand(len(x), -1, -1), x, x, key_padding_mask=pad)
        self.log("focus", w.detach().max())
        return F.cross_entropy(self.out(h.mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1220)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A learned query attends over sequences of which some keys are padding.',
    'all_grads_by_step': 1,
    'source': 'own',
}
