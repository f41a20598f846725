# SPDX-License-Identifier: Apache-2.0
"""A head is appended for each epoch's task after the optimizer was made."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 8)
        self.heads = nn.ModuleList([nn.Linear(8, 4)])

    def on_train_epoch_start(self):
        if self.current_epoch > 0:
            self.heads.append(nn.Linear(8, 4))  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x).tanh()
        return sum(F.cross_entropy(head(h), y) for head in self.heads)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(2072)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


TRAINER = {"limit_train_batches": 3, "max_epochs": 2}


EXPECT = {'verdict': 'broken', 'symptom': 'not_optimized', 'cause': 'replaced', 'line_marker': '# <-- CAUSE', 'params': ['heads.1.*'], 'metric_like': None, 'source': 'own', 'notes': "A head is appended for each epoch's task after the optimizer was made.", 'onset_step': 4, 'steps': 6}
