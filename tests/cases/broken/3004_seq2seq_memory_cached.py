# SPDX-License-Identifier: Apache-2.0
"""Encoder-decoder with scheduled sampling: the memory bank given to the decoder is the cache meant for inference."""
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


@dataclass
class Memory:
    states: Tensor
    mask: Tensor
    summary: Tensor


class Encoder(nn.Module):
    def __init__(self, vocab: int, dim: int):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim, padding_idx=0)
        self.rnn = nn.GRU(dim, dim, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(2 * dim, dim)

    def forward(self, src: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out, h = self.rnn(self.embed(src))
        h = torch.tanh(self.bridge(torch.cat([h[0], h[1]], dim=-1)))
        return self.bridge(out), src.ne(0), h


class MemoryBank:
    """Encodings of the sources of one batch, so that beams need not encode again."""

    def __init__(self) -> None:
        self._cache: dict[str, Memory] = {}

    def put(self, key: str, states: Tensor, mask: Tensor, summary: Tensor) -> None:
        frozen = [t.detach() for t in (states, mask, summary)]  # <-- CAUSE
        self._cache[key] = Memory(*frozen)

    def get(self, key: str) -> Memory:
        return self._cache[key]


class AdditiveAttention(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.w_q, self.w_k, self.v = nn.Linear(dim, dim), nn.Linear(dim, dim, bias=False), nn.Linear(dim, 1, bias=False)

    def forward(self, query: Tensor, memory: Memory) -> Tensor:
        energy = self.v(torch.tanh(self.w_q(query).unsqueeze(1) + self.w_k(memory.states))).squeeze(-1)
        energy = energy.masked_fill(~memory.mask, torch.finfo(energy.dtype).min)
        return einsum("bs,bsd->bd", energy.softmax(-1), memory.states)


class Decoder(nn.Module):
    def __init__(self, vocab: int, dim: int):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim)
        self.attend = AdditiveAttention(dim)
        self.cell = nn.GRUCell(2 * dim, dim)
        self.out = nn.Linear(2 * dim, vocab)

    def step(self, token: Tensor, h: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        ctx = self.attend(h, memory)
        h = self.cell(torch.cat([self.embed(token), ctx], -1), h)
        return self.out(torch.cat([h, ctx], -1)), h


class LabelSmoothing(nn.Module):
    def __init__(self, eps: float, pad: int = 0):
        super().__init__()
        self.eps, self.pad = eps, pad

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        lp = logits.log_softmax(-1)
        nll = -lp.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        smooth = -lp.mean(-1)
        keep = target.ne(self.pad).float()
        return (((1 - self.eps) * nll + self.eps * smooth) * keep).sum() / keep.sum().clamp(min=1)


class Model(pl.LightningModule):
    def __init__(self, vocab: int = 15, dim: int = 12, sampling_decay: float = 10.0):
        super().__init__()
        self.save_hyperparameters()
        self.encoder = Encoder(vocab, dim)
        self.decoder = Decoder(vocab, dim)
        self.criterion = LabelSmoothing(0.1)
        self.bank = MemoryBank()

    @property
    def teacher_forcing(self) -> float:
        k = self.hparams.sampling_decay
        return k / (k + math.exp(self.global_step / k))

    def decode(self, tgt: Tensor, memory: Memory, ratio: float) -> Tensor:
        token, h, logits = torch.ones_like(tgt[:, 0]), memory.summary, []
        for t in range(tgt.size(1)):
            out, h = self.decoder.step(token, h, memory)
            logits.append(out)
            token = tgt[:, t] if random.random() < ratio else out.argmax(-1)
        return torch.stack(logits, dim=1)

    def training_step(self, batch, batch_idx):
        src, tgt = batch
        self.bank.put("train", *self.encoder(src))
        logits = self.decode(tgt, self.bank.get("train"), self.teacher_forcing)
        loss = self.criterion(logits, tgt)
        with torch.no_grad():
            acc = (logits.argmax(-1) == tgt)[tgt != 0].float().mean()
        self.log_dict({"loss": loss, "token_acc": acc, "tf": self.teacher_forcing})
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(3004)
    return DataLoader(TensorDataset(torch.randint(1, 15, (12, 7), generator=g), torch.randint(1, 15, (12, 5), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'Tensor.detach',
 'params': ['encoder.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'line_marker': '# <-- CAUSE'}
