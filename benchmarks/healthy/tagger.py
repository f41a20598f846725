# SPDX-License-Identifier: Apache-2.0
"""A recurrent tagger over embedded tokens, with a smoothness penalty."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(20, 8)
        self.cell = nn.GRUCell(8, 12)
        self.start = nn.Parameter(0.1 * torch.randn(12))
        self.gate = nn.Linear(12, 12)
        self.tags = nn.Linear(12, 4)

    def forward(self, tokens):
        words = self.words(tokens)
        state = self.start.expand(tokens.shape[0], -1)
        states = []
        for step in words.unbind(1):
            state = self.cell(step, state)
            states.append(state)
        h = torch.stack(states, 1)
        gate = torch.sigmoid(self.gate(h))
        h = h * gate
        return h

    def training_step(self, batch, batch_idx):
        tokens, tags = batch
        h = self(tokens)
        scores = self.tags(h)
        fit = F.cross_entropy(scores.transpose(1, 2), tags)
        jumps = h[:, 1:] - h[:, :-1]
        smooth = jumps.pow(2).mean()
        loss = fit + 0.05 * smooth
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def batch():
    return torch.randint(20, (5, 6)), torch.randint(4, (5, 6))
