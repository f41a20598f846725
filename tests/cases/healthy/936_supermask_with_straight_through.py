# SPDX-License-Identifier: Apache-2.0
"""Edge-popup: learned scores choose fixed weights through a custom straight-through Function."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class TopK(torch.autograd.Function):
    @staticmethod
    def forward(ctx, scores, keep):
        out = torch.zeros_like(scores)
        out.view(-1)[scores.flatten().topk(int(keep * scores.numel())).indices] = 1.0
        return out

    @staticmethod
    def backward(ctx, grad):
        return grad, None


class SubnetLinear(nn.Linear):
    def __init__(self, i, o):
        super().__init__(i, o, bias=False)
        self.weight.requires_grad = False
        self.scores = nn.Parameter(torch.empty_like(self.weight))
        nn.init.kaiming_uniform_(self.scores, a=5**0.5)

    def forward(self, x):
        return F.linear(x, self.weight * TopK.apply(self.scores.abs(), 0.5))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(SubnetLinear(6, 16), nn.ReLU(), SubnetLinear(16, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD((p for p in self.parameters() if p.requires_grad), lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(936)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Edge-popup: learned scores choose fixed weights through a custom straight-through Function.', 'all_grads_by_step': 1, 'source': 'held'}
