# SPDX-License-Identifier: Apache-2.0
"""Terms are awaited coroutines."""
import asyncio
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    async def ce(self, s, y):
        await asyncio.sleep(0)
        return F.cross_entropy(s, y)

    async def size(self, s):
        return 1e-3 * s.square().mean()

    async def gather(self, s, y):
        return sum(await asyncio.gather(self.ce(s, y), self.size(s)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return asyncio.run(self.gather(self.net(x), y))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1272)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Terms are awaited coroutines.',
    'all_grads_by_step': 1,
    'source': 'own',
}
