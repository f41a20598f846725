# SPDX-License-Identifier: Apache-2.0
"""A symmetric KL between two heads detaches both arguments of both halves."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def soft_kl(a, b):
    return F.kl_div(a.detach().log_softmax(1), b.detach().softmax(1), reduction="batchmean")  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 3), nn.Linear(5, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p, q = self.a(x), self.b(x)
        agreement = 0.5 * (soft_kl(p, q) + soft_kl(q, p))  # <-- ALSO
        self.log("agreement", agreement)
        return F.cross_entropy(p, y) + F.cross_entropy(q, y) + agreement  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(699)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "agreement",
    "source": "own",
    "notes": "",
}
