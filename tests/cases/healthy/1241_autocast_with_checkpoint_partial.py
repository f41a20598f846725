# SPDX-License-Identifier: Apache-2.0
"""A checkpointed partial under bfloat16 autocast, without reentrance."""
from functools import partial
from torch.utils.checkpoint import checkpoint
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.out = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 1)

    def block(self, h, *, layer):
        return h + layer(h).relu()

    def training_step(self, batch, batch_idx):
        x, y = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            h = self.a(x)
            h = checkpoint(partial(self.block, layer=self.b), h, use_reentrant=False, preserve_rng_state=False)
            p = self.out(h)
        return F.mse_loss(p.float(), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1241)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A checkpointed partial under bfloat16 autocast, without reentrance.',
    'all_grads_by_step': 1,
    'source': 'own',
}
