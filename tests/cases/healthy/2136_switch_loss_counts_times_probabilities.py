# SPDX-License-Identifier: Apache-2.0
"""Load balance: the fraction of routed tokens is a count without gradient, multiplied by live probabilities."""
import statistics
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, experts=3):
        super().__init__()
        self.router = nn.Linear(6, experts)
        self.experts = nn.ModuleList(nn.Linear(6, 4) for _ in range(experts))

    def training_step(self, batch, batch_idx):
        x, y = batch
        share = self.router(x).softmax(-1)
        out = torch.stack([e(x) for e in self.experts], 1)
        routed = torch.bincount(share.argmax(1), minlength=len(self.experts)) / len(x)
        balance = len(self.experts) * (routed * share.mean(0)).sum()
        spread = statistics.pstdev(routed.tolist())
        self.log_dict({"balance": balance, "spread": spread})
        return F.cross_entropy((share[..., None] * out).sum(1), y) + 0.01 * balance

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2136)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Load balance: the fraction of routed tokens is a count without gradient, multiplied by live probabilities.', 'all_grads_by_step': 1, 'source': 'own'}
