# SPDX-License-Identifier: Apache-2.0
"""The auxiliary loss is scaled by the ratio of two numbers."""
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
        main, aux = F.cross_entropy(z, y), F.l1_loss(self.dec(z), x)
        ratio = main.item() / max(aux.item(), 1e-8)
        self.log("ratio", ratio)
        return main + 0.3 * ratio * aux

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2104)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The auxiliary loss is scaled by the ratio of two numbers.', 'all_grads_by_step': 1, 'source': 'own'}
