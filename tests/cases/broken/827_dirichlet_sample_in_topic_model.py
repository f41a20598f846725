# SPDX-License-Identifier: Apache-2.0
"""Neural topic model: topic proportions come from Dirichlet.sample() instead of rsample(); the inference net gets nothing."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, vocab=20, topics=4):
        super().__init__()
        self.infer = nn.Sequential(nn.Linear(vocab, 16), nn.Softplus(), nn.Linear(16, topics))
        self.beta = nn.Parameter(torch.randn(topics, vocab) * 0.1)

    def posterior(self, bow):
        return torch.distributions.Dirichlet(F.softplus(self.infer(bow)) + 0.1)

    def training_step(self, batch, batch_idx):
        (bow,) = batch
        theta = self.posterior(bow).sample()  # <-- CAUSE
        probs = theta @ self.beta.softmax(-1)
        nll = -(bow * torch.log(probs + 1e-8)).sum(-1).mean()
        self.log("nll", nll)
        return nll

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(827)
    return DataLoader(TensorDataset(torch.randint(0, 4, (24, 20), generator=g).float()), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Distribution.sample', 'line_marker': '# <-- CAUSE', 'params': ['infer.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
