# SPDX-License-Identifier: Apache-2.0
"""Per-sample losses by vmap, accuracy beside them for the log."""
from torch.func import vmap
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def one(scores, label):
    hit = (scores.argmax(-1) == label).float()
    return -scores.log_softmax(-1).gather(-1, label[None]).squeeze(), hit


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss, hit = vmap(one)(self.net(x), y)
        self.log("acc", hit.mean())
        return loss.mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1201)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Per-sample losses by vmap, accuracy beside them for the log.',
    'all_grads_by_step': 1,
    'source': 'own',
}
