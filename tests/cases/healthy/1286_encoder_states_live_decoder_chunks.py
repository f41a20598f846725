# SPDX-License-Identifier: Apache-2.0
"""Encoder states feed the decoder live; between chunks of the decoder they are detached."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.LSTM(6, 8, batch_first=True)
        self.dec = nn.LSTM(6, 8, batch_first=True)
        self.out = nn.Linear(8, 6)

    def training_step(self, batch, batch_idx):
        x, _ = batch
        _, state = self.enc(x)
        losses = []
        for chunk in F.pad(x, (0, 0, 1, -1)).split(3, dim=1):
            h, state = self.dec(chunk, state)
            state = tuple(s.detach() for s in state)
            losses.append(self.out(h))
        return F.mse_loss(torch.cat(losses, 1), x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1286)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Encoder states feed the decoder live; between chunks of the decoder they are detached.',
    'all_grads_by_step': 1,
    'source': 'own',
}
