# SPDX-License-Identifier: Apache-2.0
"""A one-unit classifier ends in nn.LogSoftmax: the output is always 0."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_head(width, classes):
    return nn.Sequential(
        nn.Linear(width, width),
        nn.ELU(),
        nn.Linear(width, classes),
        nn.LogSoftmax(dim=-1),  # <-- CAUSE
    )


class Model(pl.LightningModule):
    def __init__(self, num_classes=1):
        super().__init__()
        self.embed = nn.Embedding(10, 6)
        self.head = make_head(6, num_classes)
        self.criterion = nn.NLLLoss()

    def forward(self, tokens):
        return self.head(self.embed(tokens).mean(dim=1))  # <-- ALSO

    def training_step(self, batch, batch_idx):
        tokens, y = batch
        loss = self.criterion(self(tokens), y)
        self.log("nll", loss, prog_bar=True)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(406)
    tokens = torch.randint(0, 10, (12, 4), generator=g)
    return DataLoader(TensorDataset(tokens, torch.zeros(12, dtype=torch.long)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "log_softmax",
    "cause_alt": ["LogSoftmax"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
