# SPDX-License-Identifier: Apache-2.0
"""Decision Transformer with a context of one step: no earlier action can ever be attended to."""
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
class DTConfig:
    state_dim: int = 5
    act_dim: int = 2
    hidden: int = 12
    heads: int = 2
    context: int = 1
    max_ep: int = 20


class CausalAttention(nn.Module):
    def __init__(self, cfg: DTConfig):
        super().__init__()
        self.heads = cfg.heads
        self.qkv, self.proj = nn.Linear(cfg.hidden, 3 * cfg.hidden), nn.Linear(cfg.hidden, cfg.hidden)
        n = 3 * cfg.context
        self.register_buffer("bias", torch.tril(torch.ones(n, n)).bool())

    def forward(self, x: Tensor) -> Tensor:
        b, n, d = x.shape
        q, k, v = (t.view(b, n, self.heads, -1).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        att = q @ k.transpose(-2, -1) / math.sqrt(k.size(-1))
        att = att.masked_fill(~self.bias[:n, :n], float("-inf"))  # <-- CAUSE
        return self.proj((att.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d))


class Block(nn.Module):
    def __init__(self, cfg: DTConfig):
        super().__init__()
        self.ln1, self.attn, self.ln2 = nn.LayerNorm(cfg.hidden), CausalAttention(cfg), nn.LayerNorm(cfg.hidden)
        self.mlp = nn.Sequential(nn.Linear(cfg.hidden, 24), nn.GELU(), nn.Linear(24, cfg.hidden))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class DecisionTransformer(nn.Module):
    def __init__(self, cfg: DTConfig):
        super().__init__()
        self.embed_timestep = nn.Embedding(cfg.max_ep, cfg.hidden)
        self.embed_return = nn.Linear(1, cfg.hidden)
        self.embed_state = nn.Linear(cfg.state_dim, cfg.hidden)
        self.embed_action = nn.Linear(cfg.act_dim, cfg.hidden)
        self.blocks = nn.Sequential(*[Block(cfg) for _ in range(2)])
        self.predict_action = nn.Sequential(nn.Linear(cfg.hidden, cfg.act_dim), nn.Tanh())

    def forward(self, rtg: Tensor, states: Tensor, actions: Tensor, steps: Tensor) -> Tensor:
        b, t = states.shape[:2]
        time = self.embed_timestep(steps)
        tokens = [self.embed_return(rtg) + time, self.embed_state(states) + time, self.embed_action(actions) + time]
        x = torch.stack(tokens, dim=1).permute(0, 2, 1, 3).reshape(b, 3 * t, -1)
        x = self.blocks(x).reshape(b, t, 3, -1).permute(0, 2, 1, 3)
        return self.predict_action(x[:, 1])  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self, cfg: Optional[DTConfig] = None, lr: float = 1e-3):
        super().__init__()
        self.cfg, self.lr = cfg or DTConfig(), lr
        self.dt = DecisionTransformer(self.cfg)

    def training_step(self, batch, batch_idx):
        rtg, s, a, t, mask = batch
        k = self.cfg.context
        start = random.randint(0, s.size(1) - k)
        rtg, s, a, t, mask = (v[:, start : start + k] for v in (rtg, s, a, t, mask))
        pred = self.dt(rtg, s, a, t)
        loss = F.mse_loss(pred[mask > 0], a[mask > 0])
        self.log("train/action_error", loss)
        self.log("train/rtg", rtg.mean())
        return loss

    def configure_optimizers(self):
        opt = torch.optim.AdamW(self.parameters(), lr=self.lr, weight_decay=0.0)
        return [opt], [torch.optim.lr_scheduler.LambdaLR(opt, lambda s: min((s + 1) / 100, 1))]


def dataloader():
    g = torch.Generator().manual_seed(3019)
    r = lambda *s: torch.randn(*s, generator=g)
    return DataLoader(TensorDataset(r(12, 6, 1), r(12, 6, 5), r(12, 6, 2).tanh(), torch.arange(6).repeat(12, 1), torch.ones(12, 6)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'zero',
 'cause': 'Tensor.masked_fill',
 'params': ['dt.embed_action.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['softmax', 'Tensor.__getitem__'],
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
