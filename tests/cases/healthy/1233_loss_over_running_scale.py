# SPDX-License-Identifier: Apache-2.0
"""The loss is divided by a running mean of its own values, kept as floats in a global."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


METER = {"scale": 1.0}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.huber_loss(self.net(x), y)
        METER["scale"] = 0.9 * METER["scale"] + 0.1 * loss.item()
        return loss / max(METER["scale"], 1e-3)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1233)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'The loss is divided by a running mean of its own values, kept as floats in a global.',
    'all_grads_by_step': 1,
    'source': 'own',
}
