# SPDX-License-Identifier: Apache-2.0
"""ViT with weight-decay groups collected per layer type; bare parameters (cls token, positions) are in no group."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x):
        q, k, v = self.qkv(self.n1(x)).chunk(3, -1)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v))
        return x + self.mlp(self.n2(x))


class Model(pl.LightningModule):
    def __init__(self, d=8):
        super().__init__()
        self.patch = nn.Linear(4, d)
        self.cls_token = nn.Parameter(torch.randn(1, 1, d) * 0.02)
        self.pos_embed = nn.Parameter(torch.randn(1, 6, d) * 0.02)
        self.block = Block(d)
        self.head = nn.Linear(d, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.cat([self.cls_token.expand(len(x), -1, -1), self.patch(x)], 1) + self.pos_embed
        return F.cross_entropy(self.head(self.block(h)[:, 0]), y)

    def configure_optimizers(self):
        decay, no_decay = [], []
        for m in self.modules():
            if isinstance(m, nn.Linear):
                decay.append(m.weight)
                no_decay.append(m.bias)
            elif isinstance(m, nn.LayerNorm):
                no_decay += list(m.parameters())
        groups = [{"params": decay, "weight_decay": 0.05}, {"params": no_decay, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=1e-3)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(842)
    return DataLoader(TensorDataset(torch.randn(24, 5, 4, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'configure_optimizers', 'line_marker': '# <-- CAUSE', 'params': ['cls_token', 'pos_embed'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'not_optimized'}
