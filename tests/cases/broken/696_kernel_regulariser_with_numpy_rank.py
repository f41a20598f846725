# SPDX-License-Identifier: Apache-2.0
"""A low-rank penalty takes singular values from numpy and is logged beside a live loss."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.w = nn.Linear(6, 6, bias=False)
        self.out = nn.Linear(6, 1)

    def nuclear(self):
        s = np.linalg.svd(self.w.weight.detach().numpy(), compute_uv=False)  # <-- CAUSE
        return torch.as_tensor(s.sum())

    def training_step(self, batch, batch_idx):
        x, y = batch
        nuclear = 0.01 * self.nuclear()  # <-- ALSO
        self.log("nuclear", nuclear)
        loss = F.mse_loss(self.out(self.w(x).relu())[:, 0], y)
        loss += nuclear  # <-- ALSO
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(696)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.detach",
    "cause_alt": ["Tensor.numpy", "numpy", "torch.as_tensor", "torch.tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "nuclear",
    "source": "own",
    "notes": "",
}
