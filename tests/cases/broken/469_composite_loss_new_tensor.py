# SPDX-License-Identifier: Apache-2.0
"""A loss module with weights rebuilds each component with new_tensor to fix its dtype."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Component:
    def __init__(self, fn, weight, recast=False):
        self.fn, self.weight, self.recast = fn, weight, recast

    def __call__(self, pred, target):
        value = self.fn(pred, target)
        if self.recast:
            value = pred.new_tensor(value)  # <-- CAUSE
        return self.weight * value


def gradient_difference(pred, target):
    return F.l1_loss(pred.diff(dim=-1), target.diff(dim=-1))


class CompositeLoss(nn.Module):
    def __init__(self, **components):
        super().__init__()
        self.components = components

    def forward(self, pred, target):
        return {name: c(pred, target) for name, c in self.components.items()}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cnn = nn.Sequential(nn.Conv1d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv1d(4, 1, 1))
        self.criterion = CompositeLoss(
            l2=Component(F.mse_loss, 1.0),
            edge=Component(gradient_difference, 0.5, recast=True),
        )

    def training_step(self, batch, batch_idx):
        (x,) = batch
        parts = self.criterion(self.cnn(x), x)
        self.log("edge", parts["edge"])
        self.log("l2", parts["l2"])
        return torch.stack(list(parts.values())).sum()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(469)
    x = torch.randn(12, 1, 10, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.new_tensor",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "edge",
    "source": "own",
    "notes": "",
}
