# SPDX-License-Identifier: Apache-2.0
"""A dict of terms has zeros for the losses that this run does not use; all are weighted and summed."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.dec = nn.Linear(6, 4), nn.Linear(4, 6)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.net(x)
        terms = dict.fromkeys(("ce", "rec", "kl"), torch.zeros(()))
        terms["ce"] = F.cross_entropy(z, y)
        terms["rec"] = F.mse_loss(self.dec(z), x)
        total = 0.0
        for name, weight in (("ce", 1.0), ("rec", 0.5), ("kl", 0.1)):
            total = total + weight * terms[name]
        self.log_dict(terms)
        return total

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2333)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A dict of terms has zeros for the losses that this run does not use; all are weighted and summed.', 'all_grads_by_step': 1, 'source': 'own'}
