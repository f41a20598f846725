# SPDX-License-Identifier: Apache-2.0
"""Features of a frozen net are made in inference mode and cloned outside before they are used."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.frozen = nn.Linear(6, 8).requires_grad_(False)
        self.proj, self.cls = nn.Linear(8, 5), nn.Linear(5, 4)

    @torch.inference_mode()
    def features(self, x):
        return self.frozen(x).relu()

    def training_step(self, batch, batch_idx):
        x, y = batch
        f = self.features(x).clone()
        f[:, 0] = 1.0
        return F.cross_entropy(self.cls(self.proj(f).tanh()), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2119)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Features of a frozen net are made in inference mode and cloned outside before they are used.', 'all_grads_by_step': 1, 'source': 'own'}
