# SPDX-License-Identifier: Apache-2.0
"""DETR-like detector: the losses that were averaged over the workers for the log are the ones that are summed."""
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
class DetrConfig:
    dim: int = 16
    heads: int = 2
    queries: int = 5
    num_classes: int = 3
    cost_class: float = 1.0
    cost_bbox: float = 5.0
    eos_coef: float = 0.1
    weights: dict = field(default_factory=lambda: {"loss_ce": 1.0, "loss_bbox": 5.0, "loss_giou": 2.0})


def box_cxcywh_to_xyxy(x: Tensor) -> Tensor:
    cx, cy, w, h = x.unbind(-1)
    return torch.stack([cx - 0.5 * w, cy - 0.5 * h, cx + 0.5 * w, cy + 0.5 * h], dim=-1)


def generalized_iou(a: Tensor, b: Tensor) -> Tensor:
    """Elementwise GIoU of two sets of xyxy boxes."""
    lt, rb = torch.max(a[:, :2], b[:, :2]), torch.min(a[:, 2:], b[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(-1)
    area = lambda t: (t[:, 2:] - t[:, :2]).prod(-1)
    union = area(a) + area(b) - inter
    hull = (torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])).clamp(min=0).prod(-1)
    return inter / (union + 1e-6) - (hull - union) / (hull + 1e-6)


def linear_sum_assignment(cost: np.ndarray) -> tuple[list[int], list[int]]:
    """Greedy stand-in for the Hungarian algorithm."""
    cost, rows, cols = cost.copy(), [], []
    for _ in range(min(cost.shape)):
        r, c = np.unravel_index(cost.argmin(), cost.shape)
        rows.append(int(r)), cols.append(int(c))
        cost[r, :], cost[:, c] = np.inf, np.inf
    return rows, cols


class HungarianMatcher(nn.Module):
    def __init__(self, cfg: DetrConfig):
        super().__init__()
        self.cfg = cfg

    @torch.no_grad()
    def forward(self, outputs, targets):
        indices = []
        for logits, boxes, tgt in zip(outputs["pred_logits"], outputs["pred_boxes"], targets):
            prob = logits.softmax(-1)
            cost = -self.cfg.cost_class * prob[:, tgt["labels"]]
            cost = cost + self.cfg.cost_bbox * torch.cdist(boxes, tgt["boxes"], p=1)
            indices.append(linear_sum_assignment(cost.cpu().numpy()))
        return [(torch.as_tensor(i), torch.as_tensor(j)) for i, j in indices]


def reduce_dict(losses: dict[str, Tensor], world_size: int = 1) -> dict[str, Tensor]:
    """Average the losses over all processes, so that the log shows one number."""
    with torch.no_grad():  # <-- CAUSE
        names = sorted(losses)
        values = torch.stack([losses[k] for k in names], dim=0)  # <-- ALSO
        values /= world_size
        return dict(zip(names, values))


class SetCriterion(nn.Module):
    def __init__(self, cfg: DetrConfig):
        super().__init__()
        self.cfg, self.matcher = cfg, HungarianMatcher(cfg)
        weight = torch.ones(cfg.num_classes + 1)
        weight[-1] = cfg.eos_coef
        self.register_buffer("empty_weight", weight)

    def forward(self, outputs, targets):
        indices = self.matcher(outputs, targets)
        batch_idx = torch.cat([torch.full_like(s, i) for i, (s, _) in enumerate(indices)])
        src_idx = torch.cat([s for s, _ in indices])
        labels = torch.cat([t["labels"][j] for t, (_, j) in zip(targets, indices)])
        boxes = torch.cat([t["boxes"][j] for t, (_, j) in zip(targets, indices)])
        classes = torch.full(outputs["pred_logits"].shape[:2], self.cfg.num_classes)
        classes[batch_idx, src_idx] = labels
        src = outputs["pred_boxes"][batch_idx, src_idx]
        giou = generalized_iou(box_cxcywh_to_xyxy(src), box_cxcywh_to_xyxy(boxes))
        return {
            "loss_ce": F.cross_entropy(outputs["pred_logits"].transpose(1, 2), classes, self.empty_weight),
            "loss_bbox": F.l1_loss(src, boxes, reduction="sum") / len(boxes),
            "loss_giou": (1 - giou).sum() / len(boxes),
        }


class Model(pl.LightningModule):
    def __init__(self, cfg: Optional[DetrConfig] = None):
        super().__init__()
        self.cfg = cfg = cfg or DetrConfig()
        self.backbone = nn.Sequential(nn.Conv2d(3, cfg.dim, 4, 4), nn.ReLU(), nn.Conv2d(cfg.dim, cfg.dim, 1))
        self.query_embed = nn.Embedding(cfg.queries, cfg.dim)
        self.decoder = nn.TransformerDecoderLayer(cfg.dim, cfg.heads, 32, dropout=0.0, batch_first=True)
        self.class_embed = nn.Linear(cfg.dim, cfg.num_classes + 1)
        self.bbox_embed = nn.Sequential(nn.Linear(cfg.dim, cfg.dim), nn.ReLU(), nn.Linear(cfg.dim, 4))
        self.criterion = SetCriterion(cfg)

    def forward(self, images):
        memory = self.backbone(images).flatten(2).transpose(1, 2)
        queries = self.query_embed.weight.unsqueeze(0).expand(len(images), -1, -1)
        hs = self.decoder(queries, memory)
        return {"pred_logits": self.class_embed(hs), "pred_boxes": self.bbox_embed(hs).sigmoid()}

    def _step(self, batch, prefix: str):
        images, boxes, labels = batch
        targets = [{"boxes": b, "labels": l} for b, l in zip(boxes, labels)]
        loss_dict = self.criterion(self(images), targets)
        loss_dict_reduced = reduce_dict(loss_dict)
        scaled = {k: v * self.cfg.weights[k] for k, v in loss_dict_reduced.items()}
        loss = sum(scaled.values())
        self.log_dict({f"{prefix}/{k}": v for k, v in scaled.items()})
        self.log(f"{prefix}/loss", loss, prog_bar=True)
        return loss

    def training_step(self, batch, batch_idx):
        return self._step(batch, "train")

    def validation_step(self, batch, batch_idx):
        return self._step(batch, "val")

    def configure_optimizers(self):
        groups = [
            {"params": [p for n, p in self.named_parameters() if "backbone" not in n]},
            {"params": self.backbone.parameters(), "lr": 1e-5},
        ]
        opt = torch.optim.AdamW(groups, lr=1e-4, weight_decay=1e-4)
        return {"optimizer": opt, "lr_scheduler": torch.optim.lr_scheduler.StepLR(opt, 100)}


def dataloader():
    g = torch.Generator().manual_seed(3000)
    data = TensorDataset(torch.randn(8, 3, 16, 16, generator=g), torch.rand(8, 2, 4, generator=g) * 0.4 + 0.3, torch.randint(0, 3, (8, 2), generator=g))
    return DataLoader(data, batch_size=4)


EXPECT = {'verdict': 'broken',
 'symptom': 'no_grad_loss',
 'cause': 'no_grad',
 'params': 'all',
 'metric_like': None,
 'source': 'held',
 'notes': '',
 'cause_alt': ['torch.no_grad'],
 'line_marker': '# <-- CAUSE',
 'also_marker': '# <-- ALSO'}
