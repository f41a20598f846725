# SPDX-License-Identifier: Apache-2.0
"""Several statements on a line, a walrus inside a conditional expression."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__(); self.a = nn.Linear(6, 8); self.b = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch; h = self.a(x); h = h.tanh(); p = self.b(h); shown = p.detach().round(decimals=1)
        loss = l if (l := F.mse_loss(p, y)).requires_grad else l.requires_grad_(); self.log("r", shown.mean())
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1253)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Several statements on a line, a walrus inside a conditional expression.',
    'all_grads_by_step': 1,
    'source': 'own',
}
