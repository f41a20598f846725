# SPDX-License-Identifier: Apache-2.0
"""Every target is longer than the input, and zero_infinity turns all losses into zeros."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(3, 6, batch_first=True)
        self.out = nn.Linear(6, 5)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        h, _ = self.rnn(x[:, ::4])
        logp = F.log_softmax(self.out(h), -1).transpose(0, 1)
        t, n, _ = logp.shape
        target = torch.tensor([1, 1, 2, 3, 4, 2]).repeat(n, 1)
        lengths = torch.full((n,), t), torch.full((n,), 6)
        return F.ctc_loss(logp, target, *lengths, zero_infinity=True)  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(660)
    x = torch.randn(12, 12, 3, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.nn.functional.ctc_loss",
    "cause_alt": ["ctc_loss", "CTCLoss", "F.ctc_loss"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
