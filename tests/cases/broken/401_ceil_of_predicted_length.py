# SPDX-License-Identifier: Apache-2.0
"""A duration model rounds its predicted lengths up before comparing them."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DurationPredictor(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.Tanh(), nn.Linear(dim, 1))

    def forward(self, h):
        return self.layers(h).squeeze(-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.text = nn.GRU(4, 8, batch_first=True)
        self.duration = DurationPredictor(8)
        self.mel = nn.Linear(8, 4)

    def duration_loss(self, log_dur, frames):
        predicted = (
            log_dur.exp()
            .ceil()  # <-- CAUSE
            .clamp(max=60)
        )
        return (predicted - frames).abs().mean()

    def training_step(self, batch, batch_idx):
        (seq,) = batch
        h, _ = self.text(seq)
        frames = seq.abs().sum(-1)
        mel_loss = F.l1_loss(self.mel(h), seq)
        dur_loss = self.duration_loss(self.duration(h), frames)
        self.log_dict({"mel": mel_loss, "dur": dur_loss})
        return mel_loss + dur_loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(401)
    x = torch.randn(12, 5, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "Tensor.ceil",
    "line_marker": "# <-- CAUSE",
    "params": ["duration.*"],
    "metric_like": None,
    "source": "own",
    "notes": "The clamp after it is inside its range.",
}
