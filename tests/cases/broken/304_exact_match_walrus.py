# SPDX-License-Identifier: Apache-2.0
"""Sequence exact match for a small tagger, with the decoded sequence bound by a walrus."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class Tagger(nn.Module):
    def __init__(self, vocab, tags, dim=8):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * dim, tags)

    def forward(self, tokens):
        states, _ = self.rnn(self.emb(tokens))
        return self.out(states)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.tagger = Tagger(20, 3)

    def training_step(self, batch, batch_idx):
        tokens, tags = batch
        if (decoded := self.tagger(tokens).argmax(-1)).shape == tags.shape:  # <-- CAUSE
            return 1 - (decoded == tags).all(dim=1).float().mean()
        raise ValueError(f"shape {tuple(decoded.shape)} does not fit the tags")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(304)
    tokens = torch.randint(0, 20, (16, 5), generator=g)
    return DataLoader(TensorDataset(tokens, tokens % 3), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.argmax",
    "cause_alt": ["torch.argmax"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "MulticlassExactMatch",
    "source": "own",
    "notes": "",
}
