# SPDX-License-Identifier: Apache-2.0
"""Deep hashing: the pairwise similarity loss is taken on sign() codes."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class HashNet(nn.Module):
    def __init__(self, n_in, bits):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(n_in, 16), nn.ReLU(), nn.Linear(16, bits))

    def forward(self, x):
        return self.encode(x).sign()  # <-- CAUSE


class PairwiseSimilarity(nn.Module):
    def forward(self, codes, labels):
        agree = codes @ codes.t() / codes.size(1)
        same = (labels[:, None] == labels[None, :]).float() * 2 - 1
        return F.mse_loss(agree, same)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.hash = HashNet(6, 8)
        self.criterion = PairwiseSimilarity()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return {"loss": self.criterion(self.hash(x), y)}

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(403)
    x = torch.randn(18, 6, generator=g)
    y = torch.randint(0, 3, (18,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=6)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "Tensor.sign",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
