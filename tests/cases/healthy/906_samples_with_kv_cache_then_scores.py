# SPDX-License-Identifier: Apache-2.0
"""Generates with a detached KV cache under no_grad, then scores its own samples with the full forward (sequence-level REINFORCE)."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class LM(nn.Module):
    def __init__(self, vocab=8, dim=8):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.q, self.k, self.v = (nn.Linear(dim, dim) for _ in range(3))
        self.out = nn.Linear(dim, vocab)

    def attend(self, q, k, v, mask=None):
        s = q @ k.transpose(-1, -2) / 8**0.5
        return (s if mask is None else s.masked_fill(~mask, float("-inf"))).softmax(-1) @ v

    def forward(self, ids):
        x = self.emb(ids)
        mask = torch.ones(ids.size(1), ids.size(1), dtype=torch.bool).tril()
        return self.out(x + self.attend(self.q(x), self.k(x), self.v(x), mask))

    @torch.no_grad()
    def generate(self, ids, n):
        cache = ([], [])
        cur = ids
        for _ in range(n):
            x = self.emb(cur[:, -1:])
            cache[0].append(self.k(x))
            cache[1].append(self.v(x))
            h = x + self.attend(self.q(x), torch.cat(cache[0], 1), torch.cat(cache[1], 1))
            cur = torch.cat([cur, torch.multinomial(self.out(h)[:, -1].softmax(-1), 1)], 1)
        return cur


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lm = LM()

    def training_step(self, batch, batch_idx):
        (prompt,) = batch
        seq = self.lm.generate(prompt, 5)
        reward = (seq[:, 1:] % 2 == 0).float().mean(1)
        adv = (reward - reward.mean()) / (reward.std() + 1e-4)
        logp = self.lm(seq[:, :-1]).log_softmax(-1).gather(-1, seq[:, 1:, None]).squeeze(-1).sum(1)
        self.log("reward", reward.mean())
        return -(adv * logp).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(906)
    return DataLoader(TensorDataset(torch.randint(0, 8, (18, 1), generator=g)), batch_size=6)


EXPECT = {'verdict': 'healthy', 'why': 'Generates with a detached KV cache under no_grad, then scores its own samples with the full forward (sequence-level REINFORCE).', 'all_grads_by_step': 1, 'source': 'held'}
