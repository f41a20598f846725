# SPDX-License-Identifier: Apache-2.0
"""Transformer step by step with a KV cache written for inference: cached keys and values are detached."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class CachedAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.reset()

    def reset(self):
        self.keys, self.values = [], []

    def forward(self, x):
        self.keys.append(self.k(x).detach())  # <-- CAUSE
        self.values.append(self.v(x).detach())  # <-- ALSO
        k, v = torch.stack(self.keys, 1), torch.stack(self.values, 1)
        att = torch.einsum("bd,btd->bt", self.q(x), k) / k.size(-1) ** 0.5
        return torch.einsum("bt,btd->bd", att.softmax(-1), v)


class Model(pl.LightningModule):
    def __init__(self, vocab=12, dim=8):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.attn = CachedAttention(dim)
        self.out = nn.Linear(dim, vocab)

    def training_step(self, batch, batch_idx):
        (tok,) = batch
        self.attn.reset()
        loss = 0.0
        for t in range(tok.size(1) - 1):
            x = self.emb(tok[:, t])
            loss = loss + F.cross_entropy(self.out(x + self.attn(x)), tok[:, t + 1])
        return loss / (tok.size(1) - 1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(804)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 6), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.detach', 'line_marker': '# <-- CAUSE', 'params': ['attn.k.*', 'attn.v.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'missing'}
