# SPDX-License-Identifier: Apache-2.0
"""Text to speech: durations are rounded to repeat the phonemes and no duration loss exists."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, phones=10, dim=8):
        super().__init__()
        self.emb = nn.Embedding(phones, dim)
        self.duration = nn.Sequential(nn.Linear(dim, 8), nn.ReLU(), nn.Linear(8, 1))
        self.mel = nn.Conv1d(dim, 5, 3, padding=1)

    def regulate(self, h):
        log_d = self.duration(h).squeeze(-1)
        reps = torch.exp(log_d).add(1).to(torch.int64)  # <-- CAUSE
        return [torch.repeat_interleave(hi, ri, dim=0) for hi, ri in zip(h, reps)]

    def training_step(self, batch, batch_idx):
        phones, target = batch
        loss = 0.0
        for seq, mel in zip(self.regulate(self.emb(phones)), target):
            out = self.mel(seq.t()[None])[0]
            n = min(out.size(1), mel.size(1))
            loss = loss + F.l1_loss(out[:, :n], mel[:, :n])
        return loss / len(phones)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(860)
    return DataLoader(TensorDataset(torch.randint(0, 10, (12, 5), generator=g), torch.randn(12, 5, 12, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.to', 'line_marker': '# <-- CAUSE', 'params': ['duration.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
