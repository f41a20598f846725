# SPDX-License-Identifier: Apache-2.0
"""The data field of a PackedSequence is a live tensor, no .data of a tensor."""
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
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
        self.rnn = nn.GRU(6, 8, batch_first=True, bidirectional=True)
        self.out = nn.Linear(16, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        pack = pack_padded_sequence(self.emb(x), [7, 7, 6, 5, 4, 3, 3, 2], batch_first=True)
        pack = pack._replace(data=self.proj(pack.data))
        seq, n = pad_packed_sequence(self.rnn(pack)[0], batch_first=True)
        return F.cross_entropy(self.out(seq.sum(1) / n[:, None]), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1205)
    x = torch.arange(168).reshape(24, 7) % 12
    return DataLoader(TensorDataset(x, torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'The data field of a PackedSequence is a live tensor, no .data of a tensor.',
    'all_grads_by_step': 1,
    'source': 'own',
}
