# SPDX-License-Identifier: Apache-2.0
"""A tied decoder uses the .data of the embedding weight; only its bias learns."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


class TiedDecoder(nn.Module):
    def __init__(self, emb):
        super().__init__()
        self.source = [emb]
        self.bias = nn.Parameter(torch.zeros(emb.num_embeddings))

    def forward(self, h):
        return F.linear(h, self.source[0].weight.data, self.bias)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cond = nn.Linear(3, 5)
        self.items = nn.Embedding(7, 5)
        self.decode = TiedDecoder(self.items)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.decode(self.cond(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(386)
    x = torch.randn(21, 3, generator=g)
    y = torch.randint(0, 7, (21,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=7)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.data",
    "line_marker": "# <-- CAUSE",
    "params": ["items.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
