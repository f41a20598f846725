# SPDX-License-Identifier: Apache-2.0
"""Language model over packed documents: block-diagonal mask from cumsum of separators, prompt labels ignored, perplexity for the log."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, vocab=11, dim=8):
        super().__init__()
        self.tok, self.pos = nn.Embedding(vocab, dim), nn.Embedding(12, dim)
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, vocab, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, ids):
        doc = (ids == 0).long().cumsum(1)
        t = ids.size(1)
        pos = torch.arange(t) - torch.where(ids == 0, torch.arange(t), torch.zeros_like(ids)).cummax(1).values
        x = self.tok(ids) + self.pos(pos)
        mask = (doc[:, :, None] == doc[:, None, :]) & torch.ones(t, t, dtype=torch.bool).tril()
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.head(self.norm(x + self.proj(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))))

    def training_step(self, batch, batch_idx):
        (ids,) = batch
        labels = ids.masked_fill(torch.arange(ids.size(1)) < 3, -100)
        logits = self(ids)[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        self.log("ppl", math.exp(loss.item()))
        hit = (logits.argmax(-1) == labels[:, 1:])[labels[:, 1:] != -100]
        self.log("acc", hit.float().mean())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(905)
    return DataLoader(TensorDataset(torch.randint(0, 11, (18, 10), generator=g)), batch_size=6)


EXPECT = {'verdict': 'healthy', 'why': 'Language model over packed documents: block-diagonal mask from cumsum of separators, prompt labels ignored, perplexity for the log.', 'all_grads_by_step': 1, 'source': 'held'}
