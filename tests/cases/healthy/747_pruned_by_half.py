# SPDX-License-Identifier: Apache-2.0
"""Unstructured pruning by one half; masked entries stay at zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.utils import prune


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.stem, self.fc = nn.Linear(6, 8), nn.Linear(8, 3)
        prune.random_unstructured(self.fc, "weight", amount=0.5)
        prune.ln_structured(self.stem, "weight", amount=0.25, n=2, dim=0)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.fc(self.stem(x).tanh()), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(747)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The remaining weights train.",
    "all_grads_by_step": 1,
    "source": "own",
}
