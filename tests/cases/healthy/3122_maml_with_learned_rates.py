# SPDX-License-Identifier: Apache-2.0
"""Meta-learning: inner steps by functional_call with learned step sizes, outer loss on the query sets."""
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


def conv_block(i: int, o: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1), nn.GroupNorm(1, o), nn.ReLU(), nn.MaxPool2d(2))


class Learner(nn.Module):
    def __init__(self, ways: int, d: int = 4):
        super().__init__()
        self.features = nn.Sequential(conv_block(1, d), conv_block(d, d))
        self.classifier = nn.Linear(4 * d, ways)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


class StepSizes(nn.Module):
    """One learned rate per parameter and inner step."""

    def __init__(self, names: list[str], steps: int, init: float):
        super().__init__()
        self.rates = nn.ParameterDict({n.replace(".", "/"): nn.Parameter(torch.full((steps,), init)) for n in names})

    def __getitem__(self, key: tuple[str, int]) -> Tensor:
        return self.rates[key[0].replace(".", "/")][key[1]]


class Model(pl.LightningModule):
    def __init__(self, ways: int = 3, shots: int = 2, steps: int = 2, inner_lr: float = 0.1, first_order: bool = False):
        super().__init__()
        self.save_hyperparameters()
        self.learner = Learner(ways)
        self.rates = StepSizes([n for n, _ in self.learner.named_parameters()], steps, inner_lr)
        self.accuracy = torchmetrics.classification.MulticlassAccuracy(ways)

    def adapt(self, x: Tensor, y: Tensor) -> dict[str, Tensor]:
        fast = dict(self.learner.named_parameters())
        for k in range(self.hparams.steps):
            logits = torch.func.functional_call(self.learner, fast, (x,))
            grads = torch.autograd.grad(F.cross_entropy(logits, y), list(fast.values()), create_graph=not self.hparams.first_order)
            fast = {n: p - self.rates[n, k] * g for (n, p), g in zip(fast.items(), grads)}
        return fast

    def split(self, x: Tensor, y: Tensor):
        order = y.argsort(stable=True).view(self.hparams.ways, -1)
        support, query = order[:, : self.hparams.shots].flatten(), order[:, self.hparams.shots :].flatten()
        return (x[support], y[support]), (x[query], y[query])

    def outer_step(self, batch, stage: str) -> Tensor:
        losses, before = [], []
        for x, y in zip(*batch):
            (xs, ys), (xq, yq) = self.split(x, y)
            with torch.enable_grad():
                fast = self.adapt(xs, ys)
            logits = torch.func.functional_call(self.learner, fast, (xq,))
            losses.append(F.cross_entropy(logits, yq))
            with torch.no_grad():
                before.append(F.cross_entropy(self.learner(xq), yq))
            self.accuracy.update(logits.detach(), yq)
        loss, gain = torch.stack(losses).mean(), torch.stack(before).mean() - torch.stack([l.detach() for l in losses]).mean()
        self.log_dict({f"{stage}/loss": loss, f"{stage}/gain": gain})
        return loss

    def training_step(self, batch, batch_idx):
        return self.outer_step(batch, "train")

    def validation_step(self, batch, batch_idx):
        self.outer_step(batch, "val")

    def on_train_epoch_end(self):
        self.log("acc", self.accuracy.compute())
        self.accuracy.reset()

    def configure_optimizers(self):
        return torch.optim.Adam([{"params": self.learner.parameters()}, {"params": self.rates.parameters(), "lr": 1e-3}], lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(3122)
    return DataLoader(TensorDataset(torch.randn(8, 12, 1, 8, 8, generator=g), torch.arange(12).remainder(3).repeat(8, 1)), batch_size=2)


def val_dataloader():
    return dataloader()


EXPECT = {'verdict': 'healthy',
 'why': 'Initial weights and learned rates both get gradients through the '
        'adapted weights.',
 'all_grads_by_step': 1,
 'source': 'held'}
