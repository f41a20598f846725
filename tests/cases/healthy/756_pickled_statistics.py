# SPDX-License-Identifier: Apache-2.0
"""Running statistics go through pickle and a buffer; weights are saved in every step."""

import io
import pickle

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 3)
        self.stats = pickle.dumps(torch.ones(5))

    def training_step(self, batch, batch_idx):
        x, y = batch
        scale = pickle.loads(self.stats)  # noqa: S301
        self.stats = pickle.dumps(0.9 * scale + 0.1 * x.std(0))
        file = io.BytesIO()
        torch.save(self.net.state_dict(), file)
        self.log("bytes", float(file.tell()))
        return F.cross_entropy(self.net(x / scale), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(756)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Nothing that went through a file returns to the loss with a graph it needs.",
    "all_grads_by_step": 1,
    "source": "own",
}
