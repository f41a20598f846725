# SPDX-License-Identifier: Apache-2.0
"""The encoder hands its features to the decoder through a module-level dict, as .data."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


BUS = {}


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)

    def forward(self, x):
        BUS["z"] = self.fc(x).tanh().data  # <-- CAUSE


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 1)

    def forward(self):
        return self.fc(BUS.pop("z"))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = Encoder(), Decoder()

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.encoder(x)
        return F.mse_loss(self.decoder(), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1315)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.data',
    'line_marker': '# <-- CAUSE',
    'params': ['encoder.fc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The encoder hands its features to the decoder through a module-level dict, as .data.',
}
