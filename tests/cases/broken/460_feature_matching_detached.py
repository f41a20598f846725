# SPDX-License-Identifier: Apache-2.0
"""Feature matching where both sides are detached by a shared helper."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def features(net, x):
    feats = []
    for layer in net:
        x = layer(x)
        if isinstance(layer, nn.Linear):
            feats.append(x.flatten(1).detach())  # <-- CAUSE
    return x, feats


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(6, 8),
            nn.ReLU(),
            nn.Linear(8, 8),
            nn.ReLU(),
            nn.Linear(8, 3),
        )

    def training_step(self, batch, batch_idx):
        x, y = batch
        out, clean = features(self.net, x)
        _, noisy = features(self.net, x + 0.1 * torch.randn_like(x))
        fm = sum(F.l1_loss(a, b) for a, b in zip(noisy, clean, strict=True))
        self.log("feature_matching", fm)
        return F.cross_entropy(out, y) + 2.0 * fm

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(460)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "feature_matching",
    "source": "own",
    "notes": "",
}
