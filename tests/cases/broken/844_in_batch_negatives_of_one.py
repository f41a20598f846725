# SPDX-License-Identifier: Apache-2.0
"""Dense retrieval with in-batch negatives and a micro batch of one: cross entropy over a single candidate is exactly zero."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, vocab=30, dim=8):
        super().__init__()
        self.q = nn.EmbeddingBag(vocab, dim)
        self.p = nn.EmbeddingBag(vocab, dim)

    def training_step(self, batch, batch_idx):
        query, passage = batch
        scores = self.q(query) @ self.p(passage).t()
        loss = F.cross_entropy(scores, torch.arange(len(query)))  # <-- CAUSE
        self.log("nll", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(844)
    return DataLoader(TensorDataset(torch.randint(0, 30, (8, 5), generator=g), torch.randint(0, 30, (8, 9), generator=g)), batch_size=1)


EXPECT = {'verdict': 'broken', 'cause': 'cross_entropy', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'zero'}
