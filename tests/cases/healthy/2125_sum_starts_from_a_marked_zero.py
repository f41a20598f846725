# SPDX-License-Identifier: Apache-2.0
"""The sum of the losses starts from a zero tensor with requires_grad=True and stays connected."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.heads = nn.Linear(6, 8), nn.ModuleList(nn.Linear(8, 4) for _ in range(2))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.enc(x).relu()
        total = torch.zeros((), requires_grad=True)
        for head in self.heads:
            total = total + F.cross_entropy(head(h), y)
        self.log("total", float(total))
        return total

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2125)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The sum of the losses starts from a zero tensor with requires_grad=True and stays connected.', 'all_grads_by_step': 1, 'source': 'own'}
