# SPDX-License-Identifier: Apache-2.0
"""CTC targets are longer than the downsampled input, and infinite losses are not zeroed."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 8, 4, stride=4)
        self.out = nn.Linear(8, 5)
        self.ctc = nn.CTCLoss()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        logp = self.out(self.conv(x).permute(2, 0, 1).relu()).log_softmax(-1)
        t, n, _ = logp.shape
        target = torch.tensor([1, 1, 2, 3]).repeat(n, 1)
        return self.ctc(logp, target, torch.full((n,), t), torch.full((n,), 4))  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(659)
    x = torch.randn(12, 3, 12, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "torch.nn.functional.ctc_loss",
    "cause_alt": ["ctc_loss", "CTCLoss", "F.ctc_loss"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
