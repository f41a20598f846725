# SPDX-License-Identifier: Apache-2.0
"""Distillation: the attention maps of student and teacher are both taken inside the no_grad block of the teacher."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.c1 = nn.Conv2d(1, width, 3, padding=1)
        self.c2 = nn.Conv2d(width, width, 3, padding=1)
        self.fc = nn.Linear(width, 4)

    def features(self, x):
        return self.c2(self.c1(x).relu()).relu()

    def forward(self, x):
        return self.fc(self.features(x).mean((2, 3)))


def attention(f):
    return F.normalize(f.pow(2).mean(1).flatten(1), dim=1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student = Net(4)
        self.teacher = Net(8).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        x, y = batch
        with torch.no_grad():  # <-- CAUSE
            t_logits = self.teacher(x)
            t_att = attention(self.teacher.features(x))
            s_att = attention(self.student.features(x))  # <-- ALSO
        logits = self.student(x)
        kd = F.kl_div(logits.log_softmax(1), t_logits.softmax(1), reduction="batchmean")
        at = (s_att - t_att).pow(2).mean()
        self.log("at", at)
        self.log("kd", kd)
        return F.cross_entropy(logits, y) + kd + 100 * at

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(816)
    return DataLoader(TensorDataset(torch.randn(12, 1, 6, 6, generator=g), torch.randint(0, 4, (12,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'no_grad', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'dead_term', 'term': 'at', 'quiet': ['teacher.*']}
