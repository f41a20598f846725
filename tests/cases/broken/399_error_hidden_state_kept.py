# SPDX-License-Identifier: Apache-2.0
"""A stateful GRU keeps its hidden state between batches without detaching it."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 5, batch_first=True)
        self.fc = nn.Linear(5, 3)
        self.state = None

    def forward(self, x):
        out, self.state = self.gru(x, self.state)  # <-- CAUSE
        return self.fc(out)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self(x[:, :-1]), x[:, 1:])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(399)
    return DataLoader(TensorDataset(torch.randn(12, 5, 3, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "GRU.forward",
    "cause_alt": ["torch.gru", "missing_detach", "retain_graph", "torch.nn.GRU"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "onset_step": 2,
    "error": "backward through the graph a second time",
    "source": "own",
    "notes": "",
}
