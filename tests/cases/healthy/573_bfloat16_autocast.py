# SPDX-License-Identifier: Apache-2.0
"""bf16 mixed precision with an explicit float32 island around the loss."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"precision": "bf16-mixed"}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        with torch.autocast("cpu", enabled=False):
            return F.cross_entropy(logits.float(), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(573)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Casts between floating types keep the graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
