# SPDX-License-Identifier: Apache-2.0
"""An orthogonality regulariser is computed inside a no_grad block."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(6, 4, bias=False)
        self.cls = nn.Linear(4, 3)

    def regulariser(self):
        with torch.no_grad():  # <-- CAUSE
            w = self.proj.weight
            gram = w @ w.t()  # <-- ALSO
            reg = (gram - torch.eye(len(w))).pow(2).sum()  # <-- ALSO
        return reg

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.cls(torch.relu(self.proj(x))), y)
        orth = self.regulariser()
        self.log("orthogonality", orth)
        return loss + 1e-2 * orth

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(465)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "no_grad",
    "cause_alt": ["torch.no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "orthogonality",
    "source": "own",
    "notes": "",
}
