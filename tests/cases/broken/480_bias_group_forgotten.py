# SPDX-License-Identifier: Apache-2.0
"""Two parameter groups were planned, decay and no decay; only the first one is passed."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def split_decay(module):
    decay, no_decay = [], []
    for _, p in module.named_parameters():
        (decay if p.ndim > 1 else no_decay).append(p)
    return decay, no_decay


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        decay, _no_decay = split_decay(self)  # <-- ALSO
        return torch.optim.AdamW([{"params": decay, "weight_decay": 0.01}], lr=1e-3)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(480)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["net.0.bias", "net.1.*", "net.3.bias"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
