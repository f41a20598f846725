# SPDX-License-Identifier: Apache-2.0
"""Forward hooks store detached copies of the features on which the loss is computed."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Tap:
    def __init__(self):
        self.seen = {}

    def __call__(self, name):
        def hook(module, args, output):
            self.seen[name] = output.clone().detach()  # <-- CAUSE

        return hook


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4), nn.ReLU())
        self.tap = Tap()
        for i in (1, 3):
            self.net[i].register_forward_hook(self.tap(str(i)))

    def training_step(self, batch, batch_idx):
        self.net(batch[0])
        return sum((f.mean() - 1) ** 2 for f in self.tap.seen.values())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(614)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
