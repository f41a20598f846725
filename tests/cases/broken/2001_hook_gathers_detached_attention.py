# SPDX-License-Identifier: Apache-2.0
"""A forward hook gathers the attention maps; the diversity penalty is computed on detached ones."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.q, self.k, self.v, self.score = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Softmax(-1)

    def forward(self, x):
        return x + self.score(self.q(x) @ self.k(x).transpose(1, 2)) @ self.v(x)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Block(6), Block(6))
        self.head = nn.Linear(6, 4)
        self.maps = []
        for module in self.blocks.modules():
            if isinstance(module, nn.Softmax):
                module.register_forward_hook(self.keep)

    def keep(self, module, args, output):
        self.maps.append(output.detach())  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.maps.clear()
        ce = F.cross_entropy(self.head(self.blocks(x).mean(1)), y)
        maps = torch.stack(self.maps)
        diversity = (maps @ maps.transpose(-1, -2) - torch.eye(x.size(1))).pow(2).mean()
        self.log("diversity", diversity)
        return ce + 0.2 * diversity

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2001)
    return DataLoader(TensorDataset(torch.randn(48, 5, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A forward hook gathers the attention maps; the diversity penalty is computed on detached ones.', 'term': 'diversity'}
