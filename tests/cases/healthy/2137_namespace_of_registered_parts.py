# SPDX-License-Identifier: Apache-2.0
"""A SimpleNamespace groups parts that are registered by attributes as well."""
import types
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.norm, self.head = nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 4)
        self.parts = types.SimpleNamespace(enc=self.enc, norm=self.norm)
        self.tokens = [nn.Parameter(torch.randn(6)) for _ in range(2)]
        for i, token in enumerate(self.tokens):
            self.register_parameter(f"token{i}", token)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.parts.norm(self.parts.enc(x + sum(self.tokens))).relu()
        return F.cross_entropy(self.head(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2137)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A SimpleNamespace groups parts that are registered by attributes as well.', 'all_grads_by_step': 1, 'source': 'own'}
