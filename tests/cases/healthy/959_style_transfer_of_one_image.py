# SPDX-License-Identifier: Apache-2.0
"""The picture is the only parameter; content and style features come from a frozen network, targets are detached."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.vgg = nn.Sequential(nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 8, 3)).eval()
        for p in self.vgg.parameters():
            p.requires_grad_(False)
        self.image = nn.Parameter(torch.rand(1, 3, 8, 8))

    @staticmethod
    def gram(f):
        f = f.flatten(2)
        return torch.bmm(f, f.transpose(1, 2)) / f.size(-1)

    def training_step(self, batch, batch_idx):
        content, style = batch
        f = self.vgg(self.image)
        c_loss = F.mse_loss(f, self.vgg(content).detach())
        s_loss = F.mse_loss(self.gram(f), self.gram(self.vgg(style)).detach())
        return c_loss + 100 * s_loss

    def on_train_batch_end(self, *_):
        self.image.data.clamp_(0, 1)

    def configure_optimizers(self):
        return torch.optim.Adam([self.image], lr=0.02)


def dataloader():
    g = torch.Generator().manual_seed(959)
    return DataLoader(TensorDataset(torch.rand(1, 3, 8, 8, generator=g).repeat(4, 1, 1, 1), torch.rand(1, 3, 8, 8, generator=g).repeat(4, 1, 1, 1)), batch_size=1)


EXPECT = {'verdict': 'healthy', 'why': 'The picture is the only parameter; content and style features come from a frozen network, targets are detached.', 'all_grads_by_step': 1, 'source': 'held'}
