# SPDX-License-Identifier: Apache-2.0
"""masked_scatter, index_put_ and index_copy replace only some positions."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.token = nn.Parameter(torch.randn(32))
        self.fill = nn.Parameter(torch.randn(2))
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.enc(x)
        mask = (torch.arange(8) % 2 == 0).expand(8, 8)
        h = h.masked_scatter(mask, self.token)
        h = h.index_put((torch.tensor([0, 1]), torch.tensor([1, 3])), self.fill)
        h = h.scatter_add(1, torch.zeros(8, 1, dtype=torch.long), x[:, :1])
        return F.mse_loss(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1209)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'masked_scatter, index_put_ and index_copy replace only some positions.',
    'all_grads_by_step': 1,
    'source': 'own',
}
