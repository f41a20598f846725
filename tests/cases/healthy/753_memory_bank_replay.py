# SPDX-License-Identifier: Apache-2.0
"""Old features are kept as numpy arrays and replayed as negatives."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.bank = []

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a = F.normalize(self.f(x), dim=1)
        b = F.normalize(self.f(x + 0.1 * torch.randn_like(x)), dim=1)
        logits = a @ b.T
        if self.bank:
            old = torch.from_numpy(np.concatenate(self.bank))
            logits = torch.cat([logits, a @ old.T], 1)
        self.bank.append(b.detach().cpu().numpy())
        return F.cross_entropy(logits / 0.2, torch.arange(len(x)))

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(753)
    x = torch.randn(24, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The bank is a constant; the current features are live.",
    "all_grads_by_step": 1,
    "source": "own",
}
