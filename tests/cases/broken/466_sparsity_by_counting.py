# SPDX-License-Identifier: Apache-2.0
"""A sparsity penalty counts the active units instead of taking their absolute value."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class SparseAutoencoder(nn.Module):
    def __init__(self, n, m):
        super().__init__()
        self.enc = nn.Linear(n, m)
        self.dec = nn.Linear(m, n)

    def forward(self, x):
        code = F.relu(self.enc(x))
        return self.dec(code), code


def l0(code, threshold=1e-3):
    return (code.abs() > threshold).float().sum(dim=1).mean()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.sae = SparseAutoencoder(6, 14)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        rec, code = self.sae(x)
        terms = [F.mse_loss(rec, x), 0.05 * l0(code)]
        self.log("sparsity", terms[1])
        return sum(terms)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(466)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "torch.gt",
    "cause_alt": ["Tensor.gt", "gt"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "sparsity",
    "source": "own",
    "notes": "",
}
