# SPDX-License-Identifier: Apache-2.0
"""A custom Function returns a value and an index that is marked as not differentiable."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Peak(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        value, index = x.max(dim=1)
        ctx.save_for_backward(index)
        ctx.mark_non_differentiable(index)
        ctx.shape = x.shape
        return value, index

    @staticmethod
    def backward(ctx, grad_value, _):
        (index,) = ctx.saved_tensors
        return grad_value.new_zeros(ctx.shape).scatter_(1, index[:, None], grad_value[:, None])


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.lin, self.emb = nn.Linear(6, 5), nn.Embedding(5, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        value, index = Peak.apply(self.lin(x))
        return F.cross_entropy(self.emb(index) * value[:, None], y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2121)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'A custom Function returns a value and an index that is marked as not differentiable.', 'all_grads_by_step': 1, 'source': 'own', 'steps': 4}
