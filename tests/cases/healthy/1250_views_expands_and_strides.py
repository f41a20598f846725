# SPDX-License-Identifier: Apache-2.0
"""as_strided windows, expand, unfold, diagonal and writing through a view."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 6)
        self.kernel = nn.Parameter(torch.randn(3))
        self.out = nn.Linear(18, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.enc(x).contiguous()
        win = h.as_strided((len(x), 3, 6, 3), (30, 6, 1, 6))
        a = (win * self.kernel.expand(len(x), 3, 6, 3)).sum(-1)
        canvas = torch.empty(len(x), 18)
        canvas.view(len(x), 3, 6)[:, :, :] = a
        canvas[:, :3].copy_(h.unfold(1, 3, 1).mean((-1, -2)))
        return F.cross_entropy(self.out(canvas), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1250)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'as_strided windows, expand, unfold, diagonal and writing through a view.',
    'all_grads_by_step': 1,
    'source': 'own',
}
