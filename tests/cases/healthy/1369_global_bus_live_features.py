# SPDX-License-Identifier: Apache-2.0
"""Features travel through a module-level dict, live."""
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
        BUS["z"] = z = self.fc(x).tanh()
        BUS["shown"] = z.detach().abs().mean().item()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder, self.out = Encoder(), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.encoder(x)
        self.log("abs", BUS["shown"])
        return F.mse_loss(self.out(BUS.pop("z")), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1369)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Features travel through a module-level dict, live.',
    'all_grads_by_step': 1,
    'source': 'own',
}
