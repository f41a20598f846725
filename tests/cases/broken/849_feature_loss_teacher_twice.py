# SPDX-License-Identifier: Apache-2.0
"""Feature distillation with a copy-paste slip: the teacher is compared with itself."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 8))
        self.c = nn.Linear(8, 3)

    def forward(self, x):
        h = self.f(x)
        return h, self.c(h.relu())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student, self.teacher = Net(), Net()
        self.teacher.requires_grad_(False).eval()

    def training_step(self, batch, batch_idx):
        x, y = batch
        s_feat, s_logit = self.student(x)
        with torch.no_grad():
            t_feat, t_logit = self.teacher(x + 0.1 * torch.randn_like(x))
        feat = F.mse_loss(self.teacher.f(x), t_feat)  # <-- CAUSE
        kd = F.kl_div(s_logit.log_softmax(1), t_logit.softmax(1), reduction="batchmean")
        self.log("feat", feat)
        self.log("kd", kd)
        return F.cross_entropy(s_logit, y) + kd + feat

    def configure_optimizers(self):
        return torch.optim.Adam(self.student.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(849)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'requires_grad', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'dead_term', 'term': 'feat', 'quiet': ['teacher.*']}
