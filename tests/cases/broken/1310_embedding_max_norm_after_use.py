# SPDX-License-Identifier: Apache-2.0
"""max_norm rescales the table in place after the table was used in a product."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 6, max_norm=0.5)  # <-- ALSO
        self.mix = nn.Linear(6, 6, bias=False)
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        table = self.mix(self.emb.weight)  # <-- ALSO
        e = self.emb(x)  # <-- CAUSE
        return F.cross_entropy(self.out((e @ table.T).softmax(-1).matmul(table).mean(1)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1310)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'backward_error',
    'cause': 'embedding',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'max_norm rescales the table in place after the table was used in a product.',
    'error': 'modified by an inplace operation',
}
