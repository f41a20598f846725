# SPDX-License-Identifier: Apache-2.0
"""WaveNet: only the skip connections are read, so the residual convolution of the last layer trains nothing."""
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


class CausalConv1d(nn.Conv1d):
    def __init__(self, i: int, o: int, k: int, dilation: int = 1):
        super().__init__(i, o, k, dilation=dilation)
        self.left = (k - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (self.left, 0)))


class ResidualLayer(nn.Module):
    def __init__(self, res: int, skip: int, cond: int, dilation: int):
        super().__init__()
        self.dilated = CausalConv1d(res, 2 * res, 2, dilation)
        self.cond = nn.Conv1d(cond, 2 * res, 1, bias=False)
        self.res, self.skip = nn.Conv1d(res, res, 1), nn.Conv1d(res, skip, 1)

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        a, b = (self.dilated(x) + self.cond(c)).chunk(2, dim=1)
        z = torch.tanh(a) * torch.sigmoid(b)
        return (x + self.res(z)) * math.sqrt(0.5), self.skip(z)  # <-- CAUSE


class WaveNet(nn.Module):
    def __init__(self, classes: int, res: int, skip: int, cond: int, dilations: list[int]):
        super().__init__()
        self.front = CausalConv1d(classes, res, 2)
        self.layers = nn.ModuleList([ResidualLayer(res, skip, cond, d) for d in dilations])
        self.post = nn.Sequential(nn.ReLU(), nn.Conv1d(skip, skip, 1), nn.ReLU(), nn.Conv1d(skip, classes, 1))

    def forward(self, onehot: Tensor, cond: Tensor) -> Tensor:
        x, skips = self.front(onehot), []
        for layer in self.layers:
            x, s = layer(x, cond)  # <-- ALSO
            skips.append(s)
        return self.post(torch.stack(skips).sum(0))


def mu_law(x: Tensor, mu: int) -> Tensor:
    y = torch.sign(x) * torch.log1p(mu * x.abs()) / math.log1p(mu)
    return ((y + 1) / 2 * mu + 0.5).long().clamp(0, mu)


class Model(pl.LightningModule):
    def __init__(self, classes: int = 16, res: int = 8, skip: int = 8, mels: int = 4):
        super().__init__()
        self.save_hyperparameters()
        self.upsample = nn.ConvTranspose1d(mels, mels, 4, stride=4)
        self.net = WaveNet(classes, res, skip, mels, [1, 2, 4])

    def training_step(self, batch, batch_idx):
        wave, mel = batch
        codes = mu_law(wave, self.hparams.classes - 1)
        onehot = F.one_hot(codes, self.hparams.classes).float().transpose(1, 2)
        logits = self.net(F.pad(onehot[..., :-1], (1, 0)), self.upsample(mel))
        loss = F.cross_entropy(logits, codes)
        self.log_dict({"nll": loss, "bits": loss.item() / math.log(2)})
        return loss

    def configure_optimizers(self):
        opt = torch.optim.Adam(self.parameters(), lr=1e-3)
        return {"optimizer": opt, "lr_scheduler": torch.optim.lr_scheduler.ExponentialLR(opt, 0.999)}


def dataloader():
    g = torch.Generator().manual_seed(3022)
    return DataLoader(TensorDataset(torch.rand(12, 16, generator=g) * 2 - 1, torch.randn(12, 4, 4, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'missing',
 'cause': 'unused',
 'params': ['net.layers.2.res.*'],
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['unused_result'],
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
