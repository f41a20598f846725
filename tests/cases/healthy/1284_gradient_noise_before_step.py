# SPDX-License-Identifier: Apache-2.0
"""on_before_optimizer_step adds noise and clips by value; on_after_backward centralises."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))

    def on_after_backward(self):
        for p in self.parameters():
            if p.ndim > 1:
                p.grad.sub_(p.grad.mean(1, keepdim=True) * 0.5)

    def on_before_optimizer_step(self, optimizer):
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad.add_(torch.randn_like(p.grad), alpha=1e-3).clamp_(-1, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1284)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'on_before_optimizer_step adds noise and clips by value; on_after_backward centralises.',
    'all_grads_by_step': 1,
    'source': 'own',
}
