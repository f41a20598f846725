# SPDX-License-Identifier: Apache-2.0
"""The log-probability of a squashed action inverts the tanh of an action that was clipped to one."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SquashedNormal:
    def __init__(self, mean, log_std):
        self.base = torch.distributions.Normal(mean, log_std.exp(), validate_args=False)

    def log_prob(self, action):
        raw = torch.atanh(action)  # <-- CAUSE
        return self.base.log_prob(raw) - torch.log1p(-action.square() + 1e-6)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mean = nn.Linear(5, 2)
        self.log_std = nn.Parameter(torch.zeros(2))

    def training_step(self, batch, batch_idx):
        (s,) = batch
        action = s[:, :2].mul(2).clamp(-1, 1)  # <-- ALSO
        return -SquashedNormal(self.mean(s), self.log_std).log_prob(action).mean()

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(653)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.atanh",
    "cause_alt": ["Tensor.atanh", "atanh", "torch.arctanh"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
