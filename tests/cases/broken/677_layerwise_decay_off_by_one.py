# SPDX-License-Identifier: Apache-2.0
"""Layer-wise learning rates: the loop over the layers starts at one."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, depth=4):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(6, 6) for _ in range(depth))
        self.head = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        for layer in self.layers:
            x = F.gelu(layer(x)) + x
        return F.cross_entropy(self.head(x), y)

    def configure_optimizers(self):
        n = len(self.layers)
        groups = [{"params": self.layers[i].parameters(), "lr": 1e-3 * 0.8 ** (n - i)} for i in range(1, n)]  # <-- ALSO
        groups.append({"params": self.head.parameters()})
        return torch.optim.AdamW(groups, lr=1e-3)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(677)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 2, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["layers.0.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
