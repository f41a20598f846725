# SPDX-License-Identifier: Apache-2.0
"""Low-rank update: the product of the adapter matrices is merged inside no_grad."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class LoRALinear(nn.Linear):
    def __init__(self, i, o, r=2):
        super().__init__(i, o)
        self.weight.requires_grad_(False)
        self.A = nn.Parameter(0.1 * torch.randn(r, i))
        self.B = nn.Parameter(0.1 * torch.randn(o, r))

    @torch.no_grad()  # <-- CAUSE
    def merged(self):
        return self.weight + self.B @ self.A  # <-- ALSO

    def forward(self, x):
        return F.linear(x, self.merged(), self.bias)  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(LoRALinear(5, 8), nn.ReLU(), LoRALinear(8, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(filter(lambda p: p.requires_grad, self.parameters()))


def dataloader():
    g = torch.Generator().manual_seed(387)
    x = torch.randn(12, 5, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["net.*.A", "net.*.B"],
    "metric_like": None,
    "quiet": ["net.*.weight"],
    "source": "own",
    "notes": "The base weights are frozen on purpose, the biases train.",
}
