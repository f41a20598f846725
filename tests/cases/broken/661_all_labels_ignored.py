# SPDX-License-Identifier: Apache-2.0
"""The padding index of the loss is also the only label in the data."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, pad=0):
        super().__init__()
        self.emb = nn.Embedding(12, 6)
        self.out = nn.Linear(6, 5)
        self.criterion = nn.CrossEntropyLoss(ignore_index=pad)

    def training_step(self, batch, batch_idx):
        tokens, tags = batch
        logits = self.out(self.emb(tokens))
        tags = tags[:, None].expand(-1, tokens.shape[1])
        return self.criterion(logits.flatten(0, 1), tags.flatten() // 10)  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(661)
    x = torch.randint(1, 12, (24, 5), generator=g)
    y = torch.randint(0, 4, (24,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.nn.functional.cross_entropy",
    "cause_alt": ["cross_entropy", "F.cross_entropy", "CrossEntropyLoss"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "loss_finite": False,
    "source": "own",
    "notes": "",
}
