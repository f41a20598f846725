# SPDX-License-Identifier: Apache-2.0
"""Each loss is divided by its own detached value, so all weigh the same."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 8)
        self.a, self.b = nn.Linear(8, 4), nn.Linear(8, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x).tanh()
        parts = {"a": F.cross_entropy(self.a(h), y), "b": F.mse_loss(self.b(h), x)}
        self.log_dict({k: v.detach() for k, v in parts.items()})
        return sum(v / v.detach() for v in parts.values())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2103)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Each loss is divided by its own detached value, so all weigh the same.', 'all_grads_by_step': 1, 'source': 'own'}
