# SPDX-License-Identifier: Apache-2.0
"""The surrogate carries the gradient and a detached difference puts the metric's value on top."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        surrogate = F.cross_entropy(logits, y)
        error = (logits.argmax(1) != y).float().mean()
        loss = surrogate + (error - surrogate).detach()
        self.log("error", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2102)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': "The surrogate carries the gradient and a detached difference puts the metric's value on top.", 'all_grads_by_step': 1, 'source': 'own'}
