# SPDX-License-Identifier: Apache-2.0
"""DINO: centred and sharpened teacher targets, EMA update of teacher and centre after the step."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 10))
        self.teacher = copy.deepcopy(self.student)
        for p in self.teacher.parameters():
            p.requires_grad_(False)
        self.register_buffer("center", torch.zeros(1, 10))

    def training_step(self, batch, batch_idx):
        (x,) = batch
        crops = [x + s * torch.randn_like(x) for s in (0.1, 0.1, 0.5, 0.5)]
        with torch.no_grad():
            t_out = [self.teacher(c) for c in crops[:2]]
        s_out = [self.student(c) / 0.1 for c in crops]
        total, n = 0, 0
        for i, t in enumerate(t_out):
            q = F.softmax((t - self.center) / 0.04, -1).detach()
            for j, s in enumerate(s_out):
                if i != j:
                    total += torch.sum(-q * F.log_softmax(s, -1), -1).mean()
                    n += 1
        self.center = self.center * 0.9 + torch.cat(t_out).mean(0, keepdim=True) * 0.1
        return total / n

    @torch.no_grad()
    def on_train_batch_end(self, *_):
        for s, t in zip(self.student.parameters(), self.teacher.parameters()):
            t.data.mul_(0.996).add_((1 - 0.996) * s.detach().data)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(920)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'DINO: centred and sharpened teacher targets, EMA update of teacher and centre after the step.', 'all_grads_by_step': 1, 'source': 'held'}
