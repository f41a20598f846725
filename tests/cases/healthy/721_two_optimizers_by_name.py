# SPDX-License-Identifier: Apache-2.0
"""Two optimizers over a partition of the parameters, stepped by hand after one backward."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.emb, self.lin = nn.Embedding(12, 6), nn.Linear(6, 12)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self.lin(self.emb(x)).transpose(1, 2), y)
        self.manual_backward(loss)
        for opt in self.optimizers():
            opt.step()
            opt.zero_grad()

    def configure_optimizers(self):
        named = dict(self.named_parameters())
        slow = [named.pop(k) for k in list(named) if k.startswith("emb")]
        return [torch.optim.Adagrad(slow, lr=0.1), torch.optim.SGD(named.values(), lr=0.1)]


def dataloader():
    g = torch.Generator().manual_seed(721)
    x = torch.randint(1, 12, (24, 5), generator=g)
    y = x.roll(-1, 1)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Each parameter is in exactly one of them.",
    "all_grads_by_step": 1,
    "source": "own",
}
