# SPDX-License-Identifier: Apache-2.0
"""DINO: student on all crops, teacher on the global ones, centre and temperature schedules, frozen last layer norm."""
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


class Head(nn.Module):
    def __init__(self, i: int, hidden: int, bottleneck: int, out: int):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(i, hidden), nn.GELU(), nn.Linear(hidden, bottleneck))
        self.last = nn.utils.parametrizations.weight_norm(nn.Linear(bottleneck, out, bias=False))
        self.last.parametrizations.weight.original0.data.fill_(1)
        self.last.parametrizations.weight.original0.requires_grad = False

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.normalize(self.mlp(x), dim=-1, p=2))


class MultiCropWrapper(nn.Module):
    def __init__(self, backbone: nn.Module, head: nn.Module):
        super().__init__()
        self.backbone, self.head = backbone, head

    def forward(self, crops: list[Tensor]) -> Tensor:
        sizes = torch.tensor([c.shape[-1] for c in crops])
        ends = torch.cumsum(torch.unique_consecutive(sizes, return_counts=True)[1], 0)
        start, outs = 0, []
        for end in ends.tolist():
            outs.append(self.backbone(torch.cat(crops[start:end])).mean((2, 3)))
            start = end
        return self.head(torch.cat(outs))


class DINOLoss(nn.Module):
    def __init__(self, out: int, crops: int, warm: tuple[float, float, int], student_temp: float = 0.1, momentum: float = 0.9):
        super().__init__()
        self.student_temp, self.momentum, self.crops = student_temp, momentum, crops
        self.register_buffer("center", torch.zeros(1, out))
        self.schedule = np.concatenate([np.linspace(warm[0], warm[1], warm[2]), np.ones(50) * warm[1]])

    def forward(self, student: Tensor, teacher: Tensor, step: int) -> Tensor:
        s = (student / self.student_temp).chunk(self.crops)
        t = F.softmax((teacher - self.center) / self.schedule[step], dim=-1).detach().chunk(2)
        total, terms = 0, 0
        for i, q in enumerate(t):
            for v in range(len(s)):
                if v == i:
                    continue  # the same view
                total += torch.sum(-q * F.log_softmax(s[v], dim=-1), dim=-1).mean()
                terms += 1
        self.update_center(teacher)
        return total / terms

    @torch.no_grad()
    def update_center(self, teacher: Tensor) -> None:
        self.center = self.center * self.momentum + teacher.mean(0, keepdim=True) * (1 - self.momentum)


def crops(x: Tensor, n: int, size: int) -> list[Tensor]:
    out = []
    for _ in range(n):
        i, j = np.random.randint(0, x.shape[-2] - size + 1), np.random.randint(0, x.shape[-1] - size + 1)
        c = x[..., i : i + size, j : j + size]
        out.append(c.flip(-1) if random.random() < 0.5 else c)
    return out


class Model(pl.LightningModule):
    def __init__(self, dim: int = 8, out: int = 12, local: int = 3, momentum: float = 0.95, freeze_last: int = 1):
        super().__init__()
        self.save_hyperparameters()
        make = lambda: MultiCropWrapper(nn.Sequential(nn.Conv2d(1, dim, 3, padding=1), nn.GELU(), nn.Conv2d(dim, dim, 3, 2, 1)), Head(dim, 16, 6, out))
        self.student, self.teacher = make(), make()
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(False)
        self.criterion = DINOLoss(out, 2 + local, (0.04, 0.07, 3))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        views = crops(x, 2, 8) + crops(x, self.hparams.local, 6)
        with torch.no_grad():
            target = self.teacher(views[:2])
        loss = self.criterion(self.student(views), target, self.global_step)
        if not math.isfinite(loss.item()):
            raise SystemExit(f"Loss is {loss.item()}, stopping training")
        self.log_dict({"loss": loss, "center": self.criterion.center.norm()})
        return loss

    def on_after_backward(self):
        if self.current_epoch < self.hparams.freeze_last:
            for n, p in self.student.named_parameters():
                if "last" in n:
                    p.grad = None

    @torch.no_grad()
    def on_train_batch_end(self, *args):
        m = self.hparams.momentum
        for ps, pt in zip(self.student.parameters(), self.teacher.parameters()):
            pt.data.mul_(m).add_((1 - m) * ps.detach().data)

    def configure_optimizers(self):
        decay = [p for p in self.student.parameters() if p.requires_grad and p.ndim > 1]
        rest = [p for p in self.student.parameters() if p.requires_grad and p.ndim <= 1]
        return torch.optim.AdamW([{"params": decay}, {"params": rest, "weight_decay": 0.0}], lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(3104)
    return DataLoader(TensorDataset(torch.randn(8, 1, 10, 10, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'The last layer is held still in the first epoch on purpose; '
        'afterwards it trains.',
 'all_grads_by_step': 1,
 'source': 'held',
 'steps': 6}
