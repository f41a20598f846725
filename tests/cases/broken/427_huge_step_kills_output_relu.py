# SPDX-License-Identifier: Apache-2.0
"""The first SGD step is far too long; from then on the output ReLU is dead for every sample."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.price = nn.Linear(8, 1)
        self.price.bias.data.fill_(2.0)

    def forward(self, x):
        return F.relu(self.price(torch.sigmoid(self.hidden(x))))  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters({"lr": 1e3})
        self.model = Regressor()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.model(x).squeeze(1), 0.1 * y.abs())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.hparams.lr)  # <-- ALSO


def dataloader():
    g = torch.Generator().manual_seed(427)
    x = torch.randn(12, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "relu",
    "cause_alt": ["F.relu", "learning_rate"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "onset_step": 2,
    "steps": 6,
    "source": "own",
    "notes": "",
}
