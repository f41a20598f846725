# SPDX-License-Identifier: Apache-2.0
"""The sampling temperature of a memory network is annealed to nothing at the third step."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Memory(nn.Module):
    def __init__(self, slots, dim):
        super().__init__()
        self.cell = nn.GRUCell(dim, dim)
        self.address = nn.Linear(dim, slots)
        self.content = nn.Parameter(torch.randn(slots, dim))

    def forward(self, seq, tau):
        h = seq.new_zeros(seq.size(0), seq.size(2))
        reads = []
        for x_t in seq.unbind(dim=1):
            h = self.cell(x_t, h)
            w = torch.softmax(self.address(h) / tau, dim=-1)  # <-- CAUSE
            reads.append(w @ self.content)
        return torch.stack(reads, dim=1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.memory = Memory(5, 4)
        self.tau = 1.0

    def on_train_batch_start(self, batch, batch_idx):
        self.tau = 1.0 if self.global_step < 2 else 1e-10

    def training_step(self, batch, batch_idx):
        (seq,) = batch
        return F.mse_loss(self.memory(seq, self.tau), seq)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(428)
    x = torch.randn(12, 4, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "torch.softmax",
    "cause_alt": ["softmax", "div"],
    "line_marker": "# <-- CAUSE",
    "params": ["memory.cell.*", "memory.address.*"],
    "metric_like": None,
    "onset_step": 3,
    "steps": 6,
    "source": "own",
    "notes": "",
}
