# SPDX-License-Identifier: Apache-2.0
"""One attention row is masked as a whole; its output is replaced after a finite fill."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.qk, self.v = nn.Linear(4, 8), nn.Linear(4, 4)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        keep = x[..., 0] > -0.5
        keep[0] = False
        q, k = self.qk(x).chunk(2, -1)
        att = (q @ k.mT).masked_fill(~keep[:, None], torch.finfo(q.dtype).min).softmax(-1)
        att = att * keep[:, None]
        return F.mse_loss(att @ self.v(x), x)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(728)
    x = torch.randn(12, 5, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "The finite fill keeps the softmax defined.",
    "all_grads_by_step": 1,
    "source": "own",
}
