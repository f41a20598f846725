# SPDX-License-Identifier: Apache-2.0
"""Skip-gram with negative samples; the two embedding tables get sparse gradients."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.word = nn.Embedding(20, 6, sparse=True)
        self.context = nn.Embedding(20, 6, sparse=True)

    def training_step(self, batch, batch_idx):
        (pair,) = batch
        center, near = self.word(pair[:, 0]), self.context(pair[:, 1])
        noise = self.context(torch.randint(0, 20, (len(pair), 4)))
        good = F.logsigmoid((center * near).sum(1))
        bad = F.logsigmoid(-(noise @ center[:, :, None]).squeeze(2)).sum(1)
        return -(good + bad).mean()

    def configure_optimizers(self):
        return torch.optim.SparseAdam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(533)
    return DataLoader(TensorDataset(torch.randint(0, 20, (24, 2), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Rows that were not looked up have no entry in the sparse gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
