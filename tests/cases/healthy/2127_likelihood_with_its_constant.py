# SPDX-License-Identifier: Apache-2.0
"""The likelihood carries its normalising constant as a buffer and the log-determinant of fixed noise."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)
        self.register_buffer("noise", torch.tensor([0.3]))
        self.register_buffer("log_two_pi", torch.tensor(2 * torch.pi).log())

    def training_step(self, batch, batch_idx):
        x, y = batch
        fit = 0.5 * ((y - self.net(x)) / self.noise).square().mean()
        constant = 0.5 * self.log_two_pi + self.noise.log().sum()
        self.log_dict({"fit": fit, "constant": constant})
        return fit + constant

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2127)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randn(48, 1, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The likelihood carries its normalising constant as a buffer and the log-determinant of fixed noise.', 'all_grads_by_step': 1, 'source': 'own'}
