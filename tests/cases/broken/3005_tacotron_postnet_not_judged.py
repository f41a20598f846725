# SPDX-License-Identifier: Apache-2.0
"""Tacotron-like: both spectrogram losses are taken on the output before the post-net."""
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


class Prenet(nn.Module):
    def __init__(self, i: int, o: int):
        super().__init__()
        self.l1, self.l2 = nn.Linear(i, o), nn.Linear(o, o)

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(F.relu(self.l1(x)), 0.1, training=True)
        return F.dropout(F.relu(self.l2(x)), 0.1, training=True)


class LocationAttention(nn.Module):
    def __init__(self, dim: int):
        super().__init__()
        self.query, self.memory = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.conv, self.loc = nn.Conv1d(1, 4, 3, padding=1), nn.Linear(4, dim, bias=False)
        self.v = nn.Linear(dim, 1)

    def forward(self, h: Tensor, memory: Tensor, cum: Tensor) -> tuple[Tensor, Tensor]:
        loc = self.loc(self.conv(cum.unsqueeze(1)).transpose(1, 2))
        e = self.v(torch.tanh(self.query(h).unsqueeze(1) + self.memory(memory) + loc)).squeeze(-1)
        a = e.softmax(-1)
        return torch.bmm(a.unsqueeze(1), memory).squeeze(1), a


class PostNet(nn.Module):
    def __init__(self, mels: int):
        super().__init__()
        self.convs = nn.ModuleList([
            nn.Sequential(nn.Conv1d(mels, mels, 3, padding=1), nn.BatchNorm1d(mels)) for _ in range(3)
        ])

    def forward(self, x: Tensor) -> Tensor:
        for i, conv in enumerate(self.convs):
            x = conv(x) if i == len(self.convs) - 1 else torch.tanh(conv(x))
        return x


@dataclass
class Output:
    mel: Tensor
    mel_post: Tensor
    gate: Tensor
    alignments: Tensor


def guided_attention(align: Tensor, g: float = 0.2) -> Tensor:
    t, n = align.shape[1:]
    grid = torch.arange(t)[:, None] / t - torch.arange(n)[None] / n
    return (align * (1 - torch.exp(-(grid**2) / (2 * g * g)))).mean()


class TacotronLoss(nn.Module):
    def forward(self, out: Output, mel: Tensor, gate: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        before = F.mse_loss(out.mel, mel)
        after = F.mse_loss(out.mel, mel)
        stop = F.binary_cross_entropy_with_logits(out.gate, gate, pos_weight=torch.tensor(5.0))
        guide = guided_attention(out.alignments)
        return before + after + stop + guide, {"mel": before, "post": after, "gate": stop, "guide": guide}


class Model(pl.LightningModule):
    def __init__(self, mels: int = 5, dim: int = 12, chars: int = 20):
        super().__init__()
        self.save_hyperparameters()
        self.mels = mels
        self.embed = nn.Embedding(chars, dim)
        self.enc = nn.Sequential(nn.Conv1d(dim, dim, 3, padding=1), nn.ReLU())
        self.prenet, self.attend = Prenet(mels, dim), LocationAttention(dim)
        self.cell = nn.LSTMCell(2 * dim, dim)
        self.to_mel, self.to_gate = nn.Linear(2 * dim, mels), nn.Linear(2 * dim, 1)
        self.postnet = PostNet(mels)
        self.criterion = TacotronLoss()

    def forward(self, text: Tensor, mel: Tensor) -> Output:
        memory = self.enc(self.embed(text).transpose(1, 2)).transpose(1, 2)
        b, n, d = memory.shape
        h, c, cum = memory.new_zeros(b, d), memory.new_zeros(b, d), memory.new_zeros(b, n)
        frames = torch.cat([mel.new_zeros(b, 1, self.mels), mel[:, :-1]], 1)
        mels, gates, aligns = [], [], []
        for frame in frames.unbind(1):
            ctx, a = self.attend(h, memory, cum)
            cum = cum + a
            h, c = self.cell(torch.cat([self.prenet(frame), ctx], -1), (h, c))
            hc = torch.cat([h, ctx], -1)
            mels.append(self.to_mel(hc)), gates.append(self.to_gate(hc).squeeze(-1)), aligns.append(a)
        y = torch.stack(mels, 1)
        post = y + self.postnet(y.transpose(1, 2)).transpose(1, 2)  # <-- CAUSE
        return Output(y, post, torch.stack(gates, 1), torch.stack(aligns, 1))

    def training_step(self, batch, batch_idx):
        text, mel, gate = batch
        out = self(text, mel)
        loss, parts = self.criterion(out, mel, gate)
        self.log_dict({f"train_{k}": v for k, v in parts.items()})
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3, weight_decay=0.0)


def dataloader():
    g = torch.Generator().manual_seed(3005)
    gate = torch.zeros(12, 6)
    gate[:, -1] = 1
    return DataLoader(TensorDataset(torch.randint(0, 20, (12, 5), generator=g), torch.randn(12, 6, 5, generator=g), gate), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'unused',
 'params': ['postnet.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['unused_result'],
 'line_marker': '# <-- CAUSE'}
