# SPDX-License-Identifier: Apache-2.0
"""A forward hook returns a live change, a full backward hook scales, a tensor hook clamps."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.act, self.out = nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1)
        self.act.register_forward_hook(lambda m, args, out: out * 1.5)
        self.act.register_full_backward_hook(lambda m, gi, go: tuple(0.5 * g for g in gi))
        self.enc.register_forward_pre_hook(lambda m, args: (args[0] - args[0].mean(0),))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.act(self.enc(x))
        h.register_hook(lambda g: g.clamp(-1, 1)), h.retain_grad()
        return F.mse_loss(self.out(h), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1235)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A forward hook returns a live change, a full backward hook scales, a tensor hook clamps.',
    'all_grads_by_step': 1,
    'source': 'own',
}
