# SPDX-License-Identifier: Apache-2.0
"""The prototypes are normalised in place, but after the optimizer has stepped."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 5)
        self.proto = nn.Parameter(torch.randn(4, 5))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.enc(x) @ self.proto.t(), y)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        with torch.no_grad():
            self.proto.copy_(F.normalize(self.proto, dim=1))
        self.enc.weight.data.clamp_(-1, 1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2123)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The prototypes are normalised in place, but after the optimizer has stepped.', 'all_grads_by_step': 1, 'source': 'own'}
