# SPDX-License-Identifier: Apache-2.0
"""The smoothness penalty comes from a mixin method decorated with no_grad for monitoring."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class MonitorMixin:
    @torch.no_grad()  # <-- CAUSE
    def smoothness(self, kernel):
        return (kernel[..., 1:] - kernel[..., :-1]).square().mean()  # <-- ALSO


class Base(MonitorMixin, pl.LightningModule):
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


class Model(Base):
    def __init__(self):
        super().__init__()
        self.filters = nn.Conv1d(2, 4, 5)
        self.cls = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.filters(x.transpose(1, 2)).amax(dim=-1)
        loss = F.cross_entropy(self.cls(h), y)
        smooth = self.smoothness(self.filters.weight)
        self.log("filter_smoothness", smooth)
        return loss + smooth


def dataloader():
    g = torch.Generator().manual_seed(474)
    x = torch.randn(12, 9, 2, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "filter_smoothness",
    "source": "own",
    "notes": "",
}
