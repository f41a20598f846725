# SPDX-License-Identifier: Apache-2.0
"""Truncated BPTT detaches at every step: the initial-state network never learns."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Captioner(nn.Module):
    def __init__(self, ctx, dim):
        super().__init__()
        self.init_state = nn.Linear(ctx, dim)
        self.cell = nn.GRUCell(3, dim)
        self.word = nn.Linear(dim, 3)

    def forward(self, ctx, frames):
        h = torch.tanh(self.init_state(ctx))
        for x in frames.unbind(dim=1):
            h = self.cell(x, h.detach())  # <-- CAUSE
            yield self.word(h)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.captioner = Captioner(4, 6)

    def training_step(self, batch, batch_idx):
        ctx, frames = batch
        out = torch.stack(list(self.captioner(ctx, frames)), dim=1)
        return F.mse_loss(out[:, :-1], frames[:, 1:])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(349)
    ctx, frames = torch.randn(12, 4, generator=g), torch.randn(12, 5, 3, generator=g)
    return DataLoader(TensorDataset(ctx, frames), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "params": ["captioner.init_state.*"],
    "metric_like": None,
    "source": "own",
    "notes": "Recurrent weights still learn from one step each.",
}
