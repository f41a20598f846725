# SPDX-License-Identifier: Apache-2.0
"""map(torch.Tensor.detach, ...) fills a memory; the live tensors go on."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.towers = nn.ModuleList([nn.Linear(2, 5) for _ in range(3)])
        self.head = nn.Linear(15, 4)
        self.memory = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        outs = [t(part) for t, part in zip(self.towers, x.chunk(3, 1))]
        self.memory.append(torch.cat([*map(torch.Tensor.detach, outs)], 1))
        pull = F.mse_loss(torch.cat(outs, 1), self.memory[0])
        return F.cross_entropy(self.head(torch.cat(outs, 1).relu()), y) + 0.1 * pull

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1366)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'map(torch.Tensor.detach, ...) fills a memory; the live tensors go on.',
    'all_grads_by_step': 1,
    'source': 'own',
}
