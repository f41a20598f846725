# SPDX-License-Identifier: Apache-2.0
"""EmbeddingBag weighted by a learned importance."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.importance = nn.Embedding(12, 1)
        self.bag = nn.EmbeddingBag(12, 8, mode="sum")
        self.out = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        w = self.importance(x).squeeze(-1).softmax(-1)
        offsets = torch.arange(len(x)) * x.size(1)
        return F.cross_entropy(self.out(self.bag(x.flatten(), offsets, per_sample_weights=w.flatten())), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1219)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'EmbeddingBag weighted by a learned importance.',
    'all_grads_by_step': 1,
    'source': 'own',
}
