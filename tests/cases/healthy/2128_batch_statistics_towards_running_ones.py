# SPDX-License-Identifier: Apache-2.0
"""The penalty compares live batch statistics, gathered by hooks, with running buffers."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))
        self.terms, self.seen = [], []
        for m in self.net:
            if isinstance(m, nn.BatchNorm1d):
                m.register_forward_pre_hook(self.compare)
            m.register_forward_hook(lambda m, i, o: self.seen.append(o.detach().abs().mean().item()))

    def compare(self, module, args):
        mean = args[0].mean(0)
        self.terms.append((mean - module.running_mean.clone()).square().mean())

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.terms.clear()
        self.seen.clear()
        loss = F.cross_entropy(self.net(x), y)
        moment = sum(self.terms)
        self.log("moment", moment)
        self.log("activity", sum(self.seen))
        return loss + 0.1 * moment

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2128)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The penalty compares live batch statistics, gathered by hooks, with running buffers.', 'all_grads_by_step': 1, 'source': 'own'}
