# SPDX-License-Identifier: Apache-2.0
"""One sample of each batch is too short for its CTC target; zero_infinity drops it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn, self.out = nn.GRU(3, 6, batch_first=True), nn.Linear(6, 5)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        logp = self.out(self.rnn(x)[0]).log_softmax(-1).transpose(0, 1)
        n = len(x)
        frames = torch.full((n,), x.shape[1])
        frames[0] = 2
        target = torch.tensor([1, 1, 2, 3]).repeat(n, 1)
        return F.ctc_loss(logp, target, frames, torch.full((n,), 4), zero_infinity=True)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(744)
    x = torch.randn(12, 10, 3, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "The other samples train.",
    "all_grads_by_step": 1,
    "source": "own",
}
