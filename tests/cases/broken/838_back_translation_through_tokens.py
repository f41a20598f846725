# SPDX-License-Identifier: Apache-2.0
"""Back-translation for cycle consistency: greedy tokens of the forward model are embedded again, the forward model gets nothing."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Translator(nn.Module):
    def __init__(self, v_in, v_out, dim=8):
        super().__init__()
        self.emb = nn.Embedding(v_in, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.out = nn.Linear(dim, v_out)

    def forward(self, tok):
        return self.out(self.rnn(self.emb(tok))[0])

    def translate(self, tok):
        return self(tok).max(dim=-1)[1]  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fwd = Translator(12, 14)
        self.bwd = Translator(14, 12)

    def training_step(self, batch, batch_idx):
        (src,) = batch
        back = self.bwd(self.fwd.translate(src))
        loss = F.cross_entropy(back.flatten(0, 1), src.flatten())
        self.log("cycle", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(838)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 6), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.max', 'line_marker': '# <-- CAUSE', 'params': ['fwd.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
