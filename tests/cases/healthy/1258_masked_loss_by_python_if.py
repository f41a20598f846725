# SPDX-License-Identifier: Apache-2.0
"""A term is added only where a Python bool of a tensor says so, which is always here."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        mu, log_sd = self.net(x).chunk(2, 1)
        loss = 0
        if (low := log_sd < 10).any():
            loss += (log_sd[low] + 0.5 * ((y - mu)[low] * torch.exp(-log_sd[low])).square()).mean()
        if bool((mu.abs() > 1e3).any()):
            loss += mu.square().mean()
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1258)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A term is added only where a Python bool of a tensor says so, which is always here.',
    'all_grads_by_step': 1,
    'source': 'own',
}
