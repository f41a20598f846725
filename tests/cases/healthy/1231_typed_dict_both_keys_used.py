# SPDX-License-Identifier: Apache-2.0
"""The live code goes to the head, the stopped one into the memory."""
from typing import TypedDict
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Out(TypedDict):
    z: torch.Tensor
    z_stop: torch.Tensor


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 8)
        self.head = nn.Linear(8, 4)
        self.memory = []

    def encode(self, x) -> Out:
        z = self.enc(x).relu()
        return Out(z=z, z_stop=z.detach())

    def training_step(self, batch, batch_idx):
        x, y = batch
        match self.encode(x):
            case {"z": z, "z_stop": stop}:
                self.memory = [*self.memory[-2:], stop]
        pull = F.mse_loss(z, torch.stack(self.memory).mean(0))
        return F.cross_entropy(self.head(z), y) + 0.1 * pull

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1231)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'The live code goes to the head, the stopped one into the memory.',
    'all_grads_by_step': 1,
    'source': 'own',
}
