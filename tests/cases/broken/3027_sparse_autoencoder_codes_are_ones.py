# SPDX-License-Identifier: Apache-2.0
"""Sparse autoencoder: the k strongest latents are set to one instead of their values."""
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


class TopK(nn.Module):
    def __init__(self, k: int):
        super().__init__()
        self.k = k

    def forward(self, pre: Tensor) -> Tensor:
        idx = torch.topk(pre, self.k, dim=-1).indices  # <-- CAUSE
        return torch.zeros_like(pre).scatter(-1, idx, 1.0)  # <-- ALSO


class SparseAutoencoder(nn.Module):
    def __init__(self, dim: int, latents: int, k: int):
        super().__init__()
        self.pre_bias = nn.Parameter(torch.zeros(dim))
        self.encoder = nn.Linear(dim, latents, bias=False)
        self.latent_bias = nn.Parameter(torch.zeros(latents))
        self.decoder = nn.Linear(latents, dim, bias=False)
        self.activation = TopK(k)
        self.register_buffer("stats_last_nonzero", torch.zeros(latents, dtype=torch.long))
        with torch.no_grad():
            self.decoder.weight.copy_(self.encoder.weight.T)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x - self.pre_bias) + self.latent_bias

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        codes = self.activation(self.encode(x))
        with torch.no_grad():
            fired = (codes > 1e-3).any(0)
            self.stats_last_nonzero *= (~fired).long()
            self.stats_last_nonzero += 1
        return self.decoder(codes) + self.pre_bias, codes


def normalized_mse(recon: Tensor, x: Tensor) -> Tensor:
    return (((recon - x) ** 2).mean(1) / (x**2).mean(1)).mean()


@torch.no_grad()
def unit_norm_decoder_(sae: SparseAutoencoder) -> None:
    sae.decoder.weight.div_(sae.decoder.weight.norm(dim=0, keepdim=True))


class Backbone(nn.Module):
    def __init__(self, vocab: int, dim: int):
        super().__init__()
        self.embed, self.mix = nn.Embedding(vocab, dim), nn.Linear(dim, dim)
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, ids: Tensor) -> Tensor:
        return torch.tanh(self.mix(self.embed(ids))).flatten(0, 1)


class Model(pl.LightningModule):
    def __init__(self, dim: int = 10, latents: int = 24, k: int = 4, lr: float = 1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.lm, self.sae = Backbone(30, dim), SparseAutoencoder(dim, latents, k)

    def training_step(self, batch, batch_idx):
        (ids,) = batch
        acts = self.lm(ids)
        recon, codes = self.sae(acts)
        loss = normalized_mse(recon, acts)
        dead = (self.sae.stats_last_nonzero > 2).float().mean()
        self.log_dict({"nmse": loss, "l0": (codes != 0).float().sum(1).mean(), "dead": dead})
        return loss

    def on_train_batch_end(self, *args):
        unit_norm_decoder_(self.sae)

    def configure_optimizers(self):
        return torch.optim.Adam(self.sae.parameters(), lr=self.hparams.lr, eps=6.25e-10)


def dataloader():
    g = torch.Generator().manual_seed(3027)
    return DataLoader(TensorDataset(torch.randint(0, 30, (24, 5), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'torch.topk',
 'params': ['sae.encoder.*', 'sae.latent_bias'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['Tensor.topk'],
 'quiet': ['lm.*'],
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
