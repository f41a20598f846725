# SPDX-License-Identifier: Apache-2.0
"""Minimum risk training: beam scores pass through a Python heap as floats, then become a leaf."""
import heapq

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Decoder(nn.Module):
    def __init__(self, vocab=6, dim=8):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.cell = nn.GRUCell(dim, dim)
        self.out = nn.Linear(dim, vocab)

    def step(self, tok, h):
        h = self.cell(self.emb(tok), h)
        return self.out(h).log_softmax(-1), h


class Model(pl.LightningModule):
    def __init__(self, beam=3):
        super().__init__()
        self.beam = beam
        self.ctx = nn.Linear(4, 8)
        self.dec = Decoder()

    def search(self, h, length=3):
        beams = [(0.0, [0], h)]
        for _ in range(length):
            grown = []
            for score, seq, state in beams:
                logp, new = self.dec.step(torch.tensor([seq[-1]]), state)
                for tok, lp in enumerate(logp[0].tolist()):  # <-- ALSO
                    grown.append((score + lp, seq + [tok], new))
            beams = heapq.nlargest(self.beam, grown, key=lambda b: b[0])
        return beams

    def training_step(self, batch, batch_idx):
        x, ref = batch
        risks = []
        for xi, ri in zip(x, ref):
            beams = self.search(self.ctx(xi[None]).tanh())
            scores = torch.tensor([b[0] for b in beams]).requires_grad_()  # <-- CAUSE
            cost = torch.tensor([float(sum(a != b for a, b in zip(s[1:], ri.tolist()))) for _, s, _ in beams])
            risks.append((scores.softmax(0) * cost).sum())
        return torch.stack(risks).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(840)
    return DataLoader(TensorDataset(torch.randn(6, 4, generator=g), torch.randint(0, 6, (6, 3), generator=g)), batch_size=2)


EXPECT = {'verdict': 'broken', 'cause': 'requires_grad_', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'leaf_loss'}
