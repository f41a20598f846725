# SPDX-License-Identifier: Apache-2.0
"""functional_call gets a dict of detached parameters, copied from an ensemble evaluation recipe."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def snapshot(module):
    return {k: v.detach() for k, v in module.named_parameters()}  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        feats = functional_call(self.backbone, snapshot(self.backbone), (x,))  # <-- ALSO
        return F.cross_entropy(self.head(feats), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(339)
    x = torch.randn(12, 4, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "cause_alt": ["functional_call", "torch.func.functional_call"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["backbone.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
