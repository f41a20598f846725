# SPDX-License-Identifier: Apache-2.0
"""Greedy decoding with early stop runs every step for an edit rate that is only logged."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb, self.rnn, self.out = nn.Embedding(10, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 10)

    def forward(self, tokens, h=None):
        y, h = self.rnn(self.emb(tokens), h)
        return self.out(y), h

    def decode(self, start, steps):
        out, h = [start], None
        for _ in range(steps):
            logits, h = self(out[-1], h)
            out.append(logits[:, -1:].argmax(-1))
            if bool((out[-1] == 0).all()):
                break
        return torch.cat(out[1:], 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        guess = self.decode(x[:, :1], x.shape[1])
        self.log("wrong", (guess != y[:, : guess.shape[1]]).float().mean())
        return F.cross_entropy(self(x)[0].transpose(1, 2), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(712)
    x = torch.randint(1, 10, (24, 5), generator=g)
    y = x.roll(-1, 1)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The decoding loop has no part in the loss.",
    "all_grads_by_step": 1,
    "source": "own",
}
