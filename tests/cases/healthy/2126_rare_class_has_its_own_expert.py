# SPDX-License-Identifier: Apache-2.0
"""A masked auxiliary term is zero on batches without its class; its expert has to wait for the third batch."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.cls, self.rare = nn.Linear(6, 8), nn.Linear(8, 4), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x).tanh()
        mask = torch.full((len(x),), float(batch_idx == 2))
        rare = (mask * (self.rare(h).squeeze(1) - 1).square()).sum() / mask.sum().clamp(min=1)
        self.log("rare", rare)
        return F.cross_entropy(self.cls(h), y) + rare

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2126)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A masked auxiliary term is zero on batches without its class; its expert has to wait for the third batch.', 'all_grads_by_step': 3, 'source': 'own', 'late': {'rare.*': 3}, 'steps': 5}
