# SPDX-License-Identifier: Apache-2.0
"""Distillation: cross entropy minus the teacher's entropy, a constant that makes it a KL."""
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.teacher = copy.deepcopy(self.net).eval().requires_grad_(False)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logp = self.net(x).log_softmax(1)
        with torch.no_grad():
            q = (self.teacher(x) / 2).softmax(1)
            entropy = -(q * q.log()).sum(1).mean()
        kl = -(q * logp).sum(1).mean() - entropy
        self.log("kl", kl)
        return kl + F.nll_loss(logp, y)

    def on_train_batch_end(self, *args):
        with torch.no_grad():
            for a, b in zip(self.teacher.parameters(), self.net.parameters()):
                a.lerp_(b, 0.1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2101)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': "Distillation: cross entropy minus the teacher's entropy, a constant that makes it a KL.", 'all_grads_by_step': 1, 'source': 'own'}
