# SPDX-License-Identifier: Apache-2.0
"""Group DRO: group weights are a buffer updated from detached losses; a group can be absent from a batch."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, groups=3):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Linear(12, 2))
        self.register_buffer("q", torch.ones(groups) / groups)

    def training_step(self, batch, batch_idx):
        x, y, g = batch
        loss = F.cross_entropy(self.net(x), y, reduction="none")
        hot = F.one_hot(g, len(self.q)).float()
        count = hot.sum(0)
        group = (hot * loss[:, None]).sum(0) / (count + (count == 0).float())
        self.q = self.q * torch.exp(0.1 * group.data)
        self.q = self.q / self.q.sum()
        worst = int(group.argmax())
        self.log("worst_group", float(worst))
        return group @ self.q

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(937)
    return DataLoader(TensorDataset(torch.randn(24, 5, generator=g), torch.randint(0, 2, (24,), generator=g), torch.tensor([0, 1] * 8 + [0, 2] * 4)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Group DRO: group weights are a buffer updated from detached losses; a group can be absent from a batch.', 'all_grads_by_step': 1, 'source': 'held'}
