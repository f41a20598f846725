# SPDX-License-Identifier: Apache-2.0
"""GPT pretraining: tied embeddings, checkpointed blocks, decay groups, and samples drawn with a key-value cache."""
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
class GPTConfig:
    vocab_size: int = 20
    block_size: int = 12
    n_layer: int = 2
    n_head: int = 2
    n_embd: int = 12
    dropout: float = 0.0


class CausalSelfAttention(nn.Module):
    def __init__(self, c: GPTConfig):
        super().__init__()
        self.n_head = c.n_head
        self.c_attn, self.c_proj = nn.Linear(c.n_embd, 3 * c.n_embd, bias=False), nn.Linear(c.n_embd, c.n_embd, bias=False)

    def forward(self, x: Tensor, past: Optional[tuple[Tensor, Tensor]] = None):
        B, T, C = x.size()
        q, k, v = (t.view(B, T, self.n_head, -1).transpose(1, 2) for t in self.c_attn(x).split(C, dim=2))
        if past is not None:
            k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=past is None and T > 1)
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C)), (k, v)


class Block(nn.Module):
    def __init__(self, c: GPTConfig):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(c.n_embd, bias=False), nn.LayerNorm(c.n_embd, bias=False)
        self.attn = CausalSelfAttention(c)
        self.mlp = nn.ModuleDict(dict(c_fc=nn.Linear(c.n_embd, 2 * c.n_embd), c_proj=nn.Linear(2 * c.n_embd, c.n_embd)))

    def forward(self, x: Tensor, past: Optional[tuple[Tensor, Tensor]] = None):
        a, present = self.attn(self.ln_1(x), past)
        x = x + a
        return x + self.mlp.c_proj(F.gelu(self.mlp.c_fc(self.ln_2(x)))), present


class GPT(nn.Module):
    def __init__(self, c: GPTConfig):
        super().__init__()
        self.config = c
        self.transformer = nn.ModuleDict(dict(
            wte=nn.Embedding(c.vocab_size, c.n_embd), wpe=nn.Embedding(c.block_size, c.n_embd),
            h=nn.ModuleList([Block(c) for _ in range(c.n_layer)]), ln_f=nn.LayerNorm(c.n_embd, bias=False),
        ))
        self.lm_head = nn.Linear(c.n_embd, c.vocab_size, bias=False)
        self.transformer.wte.weight = self.lm_head.weight
        self.apply(self._init_weights)

    def _init_weights(self, m: nn.Module) -> None:
        if isinstance(m, (nn.Linear, nn.Embedding)):
            torch.nn.init.normal_(m.weight, mean=0.0, std=0.02)

    def forward(self, idx: Tensor, targets: Optional[Tensor] = None):
        x = self.transformer.wte(idx) + self.transformer.wpe(torch.arange(idx.size(1)))
        for block in self.transformer.h:
            x = checkpoint(block, x, use_reentrant=False)[0] if self.training else block(x)[0]
        logits = self.lm_head(self.transformer.ln_f(x))
        loss = None if targets is None else F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
        return logits, loss

    @torch.no_grad()
    def generate(self, idx: Tensor, n: int, temperature: float = 1.0, top_k: int = 5) -> Tensor:
        caches: list = [None] * len(self.transformer.h)
        cur, at = idx, 0
        for _ in range(n):
            x = self.transformer.wte(cur) + self.transformer.wpe(torch.arange(at, at + cur.size(1)))
            for i, block in enumerate(self.transformer.h):
                x, caches[i] = block(x, caches[i])
            logits = self.lm_head(self.transformer.ln_f(x[:, -1])) / temperature
            v, _ = torch.topk(logits, top_k)
            logits[logits < v[:, [-1]]] = -float("Inf")
            at += cur.size(1)
            cur = torch.multinomial(F.softmax(logits, dim=-1), num_samples=1)
            idx = torch.cat((idx, cur), dim=1)
        return idx


class Model(pl.LightningModule):
    def __init__(self, learning_rate: float = 6e-4, warmup: int = 2, max_iters: int = 10):
        super().__init__()
        self.save_hyperparameters()
        self.model = GPT(GPTConfig())
        self.tokens_seen = 0

    def get_lr(self, it: int) -> float:
        hp = self.hparams
        if it < hp.warmup:
            return (it + 1) / (hp.warmup + 1)
        return 0.1 + 0.45 * (1.0 + math.cos(math.pi * min(1.0, (it - hp.warmup) / (hp.max_iters - hp.warmup))))

    def training_step(self, batch, batch_idx):
        x, y = batch
        _, loss = self.model(x, y)
        self.tokens_seen += x.numel()
        self.log_dict({"loss": loss, "ppl": torch.exp(loss.detach()), "tokens": float(self.tokens_seen)})
        if batch_idx % 2 == 0:
            self.model.eval()
            sample = self.model.generate(x[:1, :2], 4)
            self.model.train()
            self.log("distinct", float(len(set(sample.flatten().tolist()))))
        return loss

    def configure_optimizers(self):
        params = {n: p for n, p in self.named_parameters() if p.requires_grad}
        groups = [{"params": [p for p in params.values() if p.dim() >= 2], "weight_decay": 0.1},
                  {"params": [p for p in params.values() if p.dim() < 2], "weight_decay": 0.0}]
        opt = torch.optim.AdamW(groups, lr=self.hparams.learning_rate, betas=(0.9, 0.95))
        return {"optimizer": opt, "lr_scheduler": {"scheduler": torch.optim.lr_scheduler.LambdaLR(opt, self.get_lr), "interval": "step"}}


TRAINER = {"accumulate_grad_batches": 2, "gradient_clip_val": 1.0}


def dataloader():
    g = torch.Generator().manual_seed(3106)
    tokens = torch.randint(0, 20, (24, 13), generator=g)
    return DataLoader(TensorDataset(tokens[:, :-1], tokens[:, 1:]), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'Samples are drawn without grad; the tied matrix is one parameter; '
        'accumulation over two batches.',
 'all_grads_by_step': 1,
 'source': 'held'}
