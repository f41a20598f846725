# SPDX-License-Identifier: Apache-2.0
"""One copy of the features is detached for a probe head with its own loss."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.head, self.probe = nn.Linear(6, 8), nn.Linear(8, 4), nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.enc(x).relu()
        loss = F.cross_entropy(self.head(h), y)
        probe = F.cross_entropy(self.probe(h.data), y)
        self.log_dict({"main": loss, "probe": probe})
        return torch.stack((loss, probe)).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1256)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'One copy of the features is detached for a probe head with its own loss.',
    'all_grads_by_step': 1,
    'source': 'own',
}
