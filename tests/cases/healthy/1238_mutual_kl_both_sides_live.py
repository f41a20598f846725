# SPDX-License-Identifier: Apache-2.0
"""Deep mutual learning: both the input and the target of kl_div are trained."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 4), nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, _ = batch
        a, b = self.one(x), self.two(x)
        kl = F.kl_div(a.log_softmax(-1), b.softmax(-1), reduction="batchmean")
        sharp = -(b.softmax(-1) * b.log_softmax(-1)).sum(-1).mean()
        return kl + 0.1 * sharp

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1238)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Deep mutual learning: both the input and the target of kl_div are trained.',
    'all_grads_by_step': 1,
    'source': 'own',
}
