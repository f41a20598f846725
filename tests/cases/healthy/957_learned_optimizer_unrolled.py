# SPDX-License-Identifier: Apache-2.0
"""Learning to learn: an LSTM proposes updates for fresh optimizee tensors over an unrolled trajectory."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.LSTMCell(1, 8), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        a, b = batch
        total = 0.0
        for ai, bi in zip(a, b):
            theta = torch.randn(3, requires_grad=True)
            state = (torch.zeros(3, 8), torch.zeros(3, 8))
            for _ in range(4):
                loss = (ai @ theta - bi).pow(2).mean()
                total = total + loss
                (g,) = torch.autograd.grad(loss, theta, retain_graph=True)
                state = self.cell(g.detach()[:, None], state)
                theta = theta + 0.1 * self.out(state[0]).squeeze(-1)
        return total / len(a)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(957)
    return DataLoader(TensorDataset(torch.randn(6, 4, 3, generator=g), torch.randn(6, 4, generator=g)), batch_size=2)


EXPECT = {'verdict': 'healthy', 'why': 'Learning to learn: an LSTM proposes updates for fresh optimizee tensors over an unrolled trajectory.', 'all_grads_by_step': 1, 'source': 'held'}
