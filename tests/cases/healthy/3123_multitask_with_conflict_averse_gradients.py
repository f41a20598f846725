# SPDX-License-Identifier: Apache-2.0
"""Multi-task dense prediction: projected conflicting gradients on the shared trunk, learned log variances, task heads of their own."""
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


TASKS = {"seg": 4, "depth": 1, "normal": 3}


class Trunk(nn.Module):
    def __init__(self, d: int = 8):
        super().__init__()
        self.stem, self.mid = nn.Conv2d(3, d, 3, padding=1), nn.Conv2d(d, d, 3, padding=2, dilation=2)
        self.norm = nn.BatchNorm2d(d)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.mid(F.relu(self.stem(x)))))


class AttentionHead(nn.Module):
    def __init__(self, d: int, out: int):
        super().__init__()
        self.gate, self.out = nn.Conv2d(d, d, 1), nn.Conv2d(d, out, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        return self.out(h * torch.sigmoid(self.gate(h)))


def seg_loss(p: Tensor, t: Tensor) -> Tensor:
    return F.cross_entropy(p, t.long(), ignore_index=255)


def depth_loss(p: Tensor, t: Tensor) -> Tensor:
    valid = t > 0
    return (p.squeeze(1) - t).abs()[valid].mean()


def normal_loss(p: Tensor, t: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(p, t, dim=1).mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"seg": seg_loss, "depth": depth_loss, "normal": normal_loss}


def project_conflicts(grads: list[Tensor]) -> Tensor:
    out = []
    for i, g in enumerate(grads):
        g = g.clone()
        for j in random.sample(range(len(grads)), len(grads)):
            dot = torch.dot(g, grads[j])
            if j != i and dot < 0:
                g -= dot / grads[j].norm().pow(2) * grads[j]
        out.append(g)
    return torch.stack(out).mean(0)


class Model(pl.LightningModule):
    def __init__(self, d: int = 8, lr: float = 1e-3):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.trunk = Trunk(d)
        self.heads = nn.ModuleDict({t: AttentionHead(d, c) for t, c in TASKS.items()})
        self.log_vars = nn.ParameterDict({t: nn.Parameter(torch.zeros(())) for t in TASKS})
        self.miou = torchmetrics.JaccardIndex(task="multiclass", num_classes=4, ignore_index=255)

    def losses(self, batch) -> dict[str, Tensor]:
        x, *targets = batch
        h = self.trunk(x)
        preds = {t: head(h) for t, head in self.heads.items()}
        self.miou.update(preds["seg"].argmax(1), targets[0].long())
        raw = {t: LOSSES[t](preds[t], y) for t, y in zip(TASKS, targets)}
        return {t: torch.exp(-self.log_vars[t]) * l + 0.5 * self.log_vars[t] for t, l in raw.items()}

    def training_step(self, batch, batch_idx):
        opt = self.optimizers()
        losses = self.losses(batch)
        shared = list(self.trunk.parameters())
        grads = []
        for loss in losses.values():
            g = torch.autograd.grad(loss, shared, retain_graph=True)
            grads.append(torch.cat([v.flatten() for v in g]))
        opt.zero_grad()
        self.manual_backward(sum(losses.values()))
        merged, at = project_conflicts(grads), 0
        for p in shared:
            p.grad = merged[at : at + p.numel()].view_as(p).clone()
            at += p.numel()
        opt.step()
        sim = F.cosine_similarity(grads[0], grads[1], dim=0)
        self.log_dict({f"loss/{k}": v.detach() for k, v in losses.items()} | {"conflict": (sim < 0).float(), "sigma": self.log_vars["seg"].exp().item()})

    def on_train_epoch_end(self):
        self.log("miou", self.miou.compute())
        self.miou.reset()
        if (sched := self.lr_schedulers()) is not None:
            sched.step()

    def configure_optimizers(self):
        opt = torch.optim.AdamW(self.parameters(), lr=self.hparams.lr)
        return [opt], [torch.optim.lr_scheduler.PolynomialLR(opt, 20, 0.9)]


def dataloader():
    g = torch.Generator().manual_seed(3123)
    seg = torch.randint(0, 4, (8, 6, 6), generator=g)
    seg[:, 0] = 255
    return DataLoader(TensorDataset(torch.randn(8, 3, 6, 6, generator=g), seg, torch.rand(8, 6, 6, generator=g) - 0.2, torch.randn(8, 3, 6, 6, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'Gradients of the trunk are replaced by projected ones; heads and log '
        'variances keep those of backward.',
 'all_grads_by_step': 1,
 'source': 'held'}
