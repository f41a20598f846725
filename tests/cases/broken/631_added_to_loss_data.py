# SPDX-License-Identifier: Apache-2.0
"""The second loss is added to loss.data: the number changes, the graph does not."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 7)
        self.main, self.aux = nn.Linear(7, 3), nn.Linear(7, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.net(x).sigmoid()
        loss = F.cross_entropy(self.main(h), y)
        aux = self.aux(h).squeeze(1).sub(x[:, 0]).abs().mean()
        loss.data += 0.1 * aux  # <-- CAUSE
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(631)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.data",
    "cause_alt": ["data"],
    "line_marker": "# <-- CAUSE",
    "params": ["aux.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
