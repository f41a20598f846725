# SPDX-License-Identifier: Apache-2.0
"""Hard attention: one-hot of the best score selects the value, queries and keys stay untrained."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class HardAttention(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))

    def forward(self, x):
        scores = self.query(x) @ self.key(x).transpose(1, 2) / x.size(-1) ** 0.5
        best = scores.max(dim=-1)[1]  # <-- CAUSE
        attn = nn.functional.one_hot(best, x.size(1)).type_as(x)  # <-- ALSO
        return torch.bmm(attn, self.value(x))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.attn = HardAttention(4)
        self.norm = nn.LayerNorm(4)
        self.out = nn.Linear(4, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.norm(x + self.attn(x))
        return nn.CrossEntropyLoss()(self.out(h.mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(352)
    x = torch.randn(12, 6, 4, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.max",
    "cause_alt": ["torch.max", "torch.nn.functional.one_hot"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["attn.query.*", "attn.key.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
