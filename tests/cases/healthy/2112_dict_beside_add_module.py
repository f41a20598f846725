# SPDX-License-Identifier: Apache-2.0
"""A dict by name holds the same modules that add_module registers."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.by_name, self.order = {}, []
        for name in ("low", "mid", "high"):
            layer = nn.Linear(6, 6)
            self.by_name[name] = layer
            self.order.append((name, layer.weight))
            self.add_module(f"band_{name}", layer)
        self.head = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        for name, weight in self.order:
            x = torch.tanh(F.linear(x, weight, self.by_name[name].bias))
        return F.cross_entropy(self.head(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2112)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A dict by name holds the same modules that add_module registers.', 'all_grads_by_step': 1, 'source': 'own'}
