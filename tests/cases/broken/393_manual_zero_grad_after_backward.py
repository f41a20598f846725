# SPDX-License-Identifier: Apache-2.0
"""Manual optimisation clears the gradients between backward and step."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))

    def optimise(self, loss):
        opt = self.optimizers()
        self.manual_backward(loss)
        opt.zero_grad()  # <-- CAUSE
        opt.step()

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.optimise(F.mse_loss(self.net(x), y))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(393)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, x[:, :1].sin()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "zero_grad",
    "cause_alt": ["Optimizer.zero_grad"],
    "line_marker": "# <-- CAUSE",
    "params": ["net.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
