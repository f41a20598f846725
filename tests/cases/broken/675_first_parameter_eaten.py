# SPDX-License-Identifier: Apache-2.0
"""next() on the filtered generator asks for the device and eats the first parameter."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        trainable = filter(lambda p: p.requires_grad, self.parameters())
        fused = next(trainable).is_cuda  # <-- ALSO
        return torch.optim.AdamW(trainable, fused=fused)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(675)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "cause_alt": ["next"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["net.0.weight"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
