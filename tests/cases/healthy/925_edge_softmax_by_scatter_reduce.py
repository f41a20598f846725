# SPDX-License-Identifier: Apache-2.0
"""Graph attention: softmax over incoming edges with a detached scatter maximum."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class GAT(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o, bias=False)
        self.att = nn.Parameter(torch.randn(2 * o) * 0.1)

    def forward(self, x, src, dst):
        h = self.lin(x)
        e = F.leaky_relu((torch.cat([h[src], h[dst]], 1) * self.att).sum(1), 0.2)
        top = torch.full((len(x),), -1e9).scatter_reduce(0, dst, e.detach(), "amax")
        a = (e - top[dst]).exp()
        a = a / torch.zeros(len(x)).index_add(0, dst, a)[dst]
        return torch.zeros_like(h).index_add_(0, dst, a[:, None] * h[src])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.g1, self.g2 = GAT(4, 8), GAT(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        src = torch.tensor([0, 1, 2, 3, 4, 5, 0, 2, 4])
        dst = torch.tensor([1, 0, 3, 2, 5, 4, 0, 0, 1])
        out = self.g2(F.elu(self.g1(x, src, dst)), src, dst)
        return F.cross_entropy(out, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(925)
    return DataLoader(TensorDataset(torch.randn(18, 4, generator=g), torch.randint(0, 3, (18,), generator=g)), batch_size=6)


EXPECT = {'verdict': 'healthy', 'why': 'Graph attention: softmax over incoming edges with a detached scatter maximum.', 'all_grads_by_step': 1, 'source': 'held'}
