# SPDX-License-Identifier: Apache-2.0
"""A rollout adds Python floats over time and wraps the total once with requires_grad."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, hidden=6):
        super().__init__()
        self.cell = nn.LSTMCell(2, hidden)
        self.readout = nn.Linear(hidden, 2)

    def rollout(self, seq):
        h = c = seq.new_zeros(seq.size(0), self.cell.hidden_size)
        for now, nxt in zip(seq.unbind(1), seq[:, 1:].unbind(1)):
            h, c = self.cell(now, (h, c))
            yield F.mse_loss(self.readout(h), nxt)

    def training_step(self, batch, batch_idx):
        total = sum(float(step) for step in self.rollout(batch[0]))  # <-- CAUSE
        return torch.tensor([total], requires_grad=True).mean()  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(345)
    return DataLoader(TensorDataset(torch.randn(8, 5, 2, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "leaf_loss",
    "cause": "float",
    "cause_alt": ["Tensor.__float__", "Tensor.item", "torch.tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
