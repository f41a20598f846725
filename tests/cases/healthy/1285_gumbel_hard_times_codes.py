# SPDX-License-Identifier: Apache-2.0
"""The hard Gumbel sample multiplies the codes; its argmax is only counted."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.policy = nn.Linear(6, 5)
        self.code = nn.Parameter(torch.randn(5, 8))
        self.head = nn.Linear(14, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pick = F.gumbel_softmax(self.policy(x), tau=0.7, hard=True)
        self.log("used", pick.argmax(-1).unique().numel() / 5)
        return F.cross_entropy(self.head(torch.cat([x, pick @ self.code], -1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1285)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'The hard Gumbel sample multiplies the codes; its argmax is only counted.',
    'all_grads_by_step': 1,
    'source': 'own',
}
