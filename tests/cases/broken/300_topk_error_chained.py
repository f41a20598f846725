# SPDX-License-Identifier: Apache-2.0
"""Top-k error written as one chained expression in a small mixin."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class RankingMixin:
    k = 2

    def topk_error(self, scores, y):
        hit = (
            scores.topk(self.k, dim=-1)  # <-- CAUSE
            .indices.eq(y.unsqueeze(-1))  # <-- ALSO
            .any(dim=-1)
        )
        return 1 - hit.float().mean()


class Model(RankingMixin, pl.LightningModule):
    def __init__(self, width=12):
        super().__init__()
        self.trunk = nn.Linear(6, width)
        self.cls = nn.Linear(width, 5)

    def forward(self, x):
        return self.cls(F.silu(self.trunk(x)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.topk_error(self(x), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=3e-4)


def dataloader():
    g = torch.Generator().manual_seed(300)
    x = torch.randn(32, 6, generator=g)
    y = torch.randint(0, 5, (32,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.topk",
    "cause_alt": ["torch.topk", "Tensor.eq"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "MulticlassAccuracy",
    "source": "own",
    "notes": "The values of topk are differentiable, the code uses its indices.",
}
