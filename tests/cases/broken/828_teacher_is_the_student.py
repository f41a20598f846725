# SPDX-License-Identifier: Apache-2.0
"""EMA teacher made without deepcopy: freezing the teacher freezes the student."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3))
        self.teacher = self.student  # <-- ALSO
        self.teacher.requires_grad_(False)  # <-- CAUSE

    @torch.no_grad()
    def update_teacher(self, m=0.99):
        for t, s in zip(self.teacher.parameters(), self.student.parameters()):
            t.mul_(m).add_(s, alpha=1 - m)

    def on_train_batch_end(self, *_):
        self.update_teacher()

    def training_step(self, batch, batch_idx):
        x, y = batch
        with torch.no_grad():
            soft = self.teacher(x + 0.05 * torch.randn_like(x)).softmax(1)
        logits = self.student(x)
        return F.cross_entropy(logits, y) + F.kl_div(logits.log_softmax(1), soft, reduction="batchmean")

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(828)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'requires_grad_', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'no_grad_loss'}
