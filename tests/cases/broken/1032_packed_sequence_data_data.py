# SPDX-License-Identifier: Apache-2.0
"""The data field of a packed sequence is fine, its .data is not."""
from torch.nn.utils.rnn import pack_padded_sequence
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 5)
        self.proj = nn.Linear(5, 6)
        self.rnn = nn.GRU(6, 8, batch_first=True)
        self.out = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        e = self.proj(self.emb(x))
        pack = pack_padded_sequence(e, [7, 7, 6, 5, 4, 3, 3, 2], batch_first=True)
        pack = pack._replace(data=F.dropout(pack.data.data, 0.1))  # <-- CAUSE
        _, hidden = self.rnn(pack)
        return F.cross_entropy(self.out(hidden[-1]), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1032)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.data',
    'line_marker': '# <-- CAUSE',
    'params': ['emb.*', 'proj.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The data field of a packed sequence is fine, its .data is not.',
}
