# SPDX-License-Identifier: Apache-2.0
"""A pseudo-label helper switches gradients off by a call and nobody switches them on again."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset


def pseudo_labels(net, x, confidence=0.0):
    torch.set_grad_enabled(False)  # <-- CAUSE
    prob = net(x).softmax(dim=-1)
    conf, label = prob.max(dim=-1)
    return label, conf >= confidence


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 6), nn.Mish(), nn.Linear(6, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        weak, strong = x, x + 0.1 * torch.randn_like(x)
        label, keep = pseudo_labels(self.net, weak)
        supervised = F.cross_entropy(self.net(x), y)  # <-- ALSO
        consistency = F.cross_entropy(self.net(strong)[keep], label[keep])  # <-- ALSO
        return supervised + consistency

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(316)
    x = torch.randn(24, 6, generator=g)
    y = torch.randint(0, 3, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "set_grad_enabled",
    "cause_alt": ["no_grad", "torch.set_grad_enabled"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "The context-manager form would have been fine.",
}
