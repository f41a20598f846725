# SPDX-License-Identifier: Apache-2.0
"""Sequence-to-sequence with attention: predicted tokens are fed back as integers, beams are decoded for the log."""
import copy
import math
import random
from collections import OrderedDict, defaultdict, deque
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Optional

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, einsum
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset, TensorDataset


class Encoder(nn.Module):
    def __init__(self, vocab: int, d: int):
        super().__init__()
        self.emb, self.rnn = nn.Embedding(vocab, d, padding_idx=0), nn.LSTM(d, d, bidirectional=True, batch_first=True)
        self.h, self.c = nn.Linear(2 * d, d), nn.Linear(2 * d, d)

    def forward(self, x: Tensor, lengths: Tensor):
        packed = nn.utils.rnn.pack_padded_sequence(self.emb(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, (h, c) = self.rnn(packed)
        out, _ = nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=x.size(1))
        return out, (self.h(torch.cat([*h], -1)), self.c(torch.cat([*c], -1)))


class Decoder(nn.Module):
    def __init__(self, vocab: int, d: int):
        super().__init__()
        self.emb, self.cell = nn.Embedding(vocab, d), nn.LSTMCell(3 * d, d)
        self.score, self.out = nn.Linear(d, 2 * d, bias=False), nn.Linear(3 * d, vocab)

    def step(self, tok: Tensor, state, memory: Tensor, mask: Tensor, feed: Tensor):
        state = self.cell(torch.cat([self.emb(tok), feed], -1), state)
        e = torch.einsum("bd,bnd->bn", self.score(state[0]), memory).masked_fill(~mask, -1e9)
        ctx = torch.einsum("bn,bnd->bd", e.softmax(-1), memory)
        return self.out(torch.cat([state[0], ctx], -1)).log_softmax(-1), state, ctx


@dataclass(order=True)
class Hypothesis:
    score: float
    tokens: list = field(compare=False)
    state: tuple = field(compare=False)
    feed: Tensor = field(compare=False)


class Model(pl.LightningModule):
    BOS, EOS = 1, 2

    def __init__(self, vocab: int = 14, d: int = 8, eps0: float = 0.5, smoothing: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.encoder, self.decoder = Encoder(vocab, d), Decoder(vocab, d)
        self.history: list[float] = []

    def sampling_rate(self) -> float:
        return self.hparams.eps0 * (1 - math.exp(-self.global_step / 2))

    def decode(self, memory: Tensor, state, mask: Tensor, tgt: Tensor) -> Tensor:
        tok, feed, logps = torch.full_like(tgt[:, 0], self.BOS), memory.mean(1), []
        for t in range(tgt.size(1)):
            lp, state, feed = self.decoder.step(tok, state, memory, mask, feed)
            logps.append(lp)
            use_model = torch.rand(len(tgt)) < self.sampling_rate()
            sampled = torch.distributions.Categorical(logits=lp.detach()).sample()
            tok = torch.where(use_model, sampled, tgt[:, t])
        return torch.stack(logps, 1)

    @torch.inference_mode()
    def beam(self, memory: Tensor, state, mask: Tensor, width: int = 2, steps: int = 4) -> list[int]:
        beams = [Hypothesis(0.0, [self.BOS], state, memory.mean(1))]
        for _ in range(steps):
            grown = []
            for h in beams:
                lp, st, feed = self.decoder.step(torch.tensor([h.tokens[-1]]), h.state, memory, mask, h.feed)
                top = lp[0].topk(width)
                grown += [Hypothesis(h.score + v.item(), h.tokens + [i.item()], st, feed) for v, i in zip(*top)]
            beams = sorted(grown, reverse=True)[:width]
        return beams[0].tokens

    def training_step(self, batch, batch_idx):
        src, n, tgt = batch
        memory, state = self.encoder(src, n)
        mask = src.ne(0)
        logp = self.decode(memory, state, mask, tgt)
        nll = -logp.gather(-1, tgt[..., None]).squeeze(-1)
        eps = self.hparams.smoothing
        loss = ((1 - eps) * nll - eps * logp.mean(-1)).mean()
        best = self.beam(memory[:1], tuple(s[:1] for s in state), mask[:1])
        self.history.append(loss.item())
        self.log_dict({"loss": loss, "nll": nll.mean(), "beam_len": float(len(best)), "avg": sum(self.history) / len(self.history)})
        return loss

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=1e-3)
        return {"optimizer": opt, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.ReduceLROnPlateau(opt), "monitor": "loss"}}


def dataloader():
    g = torch.Generator().manual_seed(3108)
    n = torch.randint(3, 8, (12,), generator=g)
    src = torch.randint(3, 14, (12, 7), generator=g) * (torch.arange(7) < n[:, None])
    return DataLoader(TensorDataset(src, n, torch.randint(3, 14, (12, 5), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'Tokens are integers and need no gradient; the likelihood of the '
        'targets is live; beams are for the log.',
 'all_grads_by_step': 1,
 'source': 'held'}
