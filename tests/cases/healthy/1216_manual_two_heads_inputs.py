# SPDX-License-Identifier: Apache-2.0
"""Each loss is sent to its own part by backward(inputs=); both parts get theirs."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.enc = nn.Linear(6, 8)
        self.head = nn.Linear(8, 1)
        self.probe = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        opt = self.optimizers()
        x, y = batch
        h = self.enc(x).tanh()
        main, side = F.mse_loss(self.head(h), y), F.l1_loss(self.probe(h), y)
        opt.zero_grad()
        self.manual_backward(side, inputs=list(self.probe.parameters()), retain_graph=True)
        self.manual_backward(main)
        opt.step()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1216)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Each loss is sent to its own part by backward(inputs=); both parts get theirs.',
    'all_grads_by_step': 1,
    'source': 'own',
}
