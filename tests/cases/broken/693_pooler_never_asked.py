# SPDX-License-Identifier: Apache-2.0
"""A small transformer with a pooler and mask token; the task reads token states only."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Encoder(nn.Module):
    def __init__(self, vocab, d):
        super().__init__()
        self.emb = nn.Embedding(vocab, d)
        self.mask_token = nn.Parameter(torch.zeros(d))  # <-- ALSO
        self.layer = nn.TransformerEncoderLayer(d, 2, 16, dropout=0.0, batch_first=True)
        self.pooler = nn.Linear(d, d)  # <-- ALSO

    def forward(self, tokens):
        h = self.layer(self.emb(tokens))
        return h, torch.tanh(self.pooler(h[:, 0]))  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = Encoder(12, 8)
        self.tag = nn.Linear(8, 12)

    def training_step(self, batch, batch_idx):
        x, y = batch
        states, _ = self.enc(x)
        return F.cross_entropy(self.tag(states).transpose(1, 2), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(693)
    x = torch.randint(1, 12, (24, 5), generator=g)
    y = x.roll(-1, 1)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "unused",
    "cause_alt": ["unused_parameter", "unused_result"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["enc.pooler.*", "enc.mask_token"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
