# SPDX-License-Identifier: Apache-2.0
"""forward computes the loss and returns an ordered dict with attributes, as transformers does."""
from collections import OrderedDict
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Output(OrderedDict):
    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 4)

    def forward(self, x, labels=None, **kwargs):
        logits = self.head(F.gelu(self.body(x)))
        loss = None if labels is None else F.cross_entropy(logits, labels, **kwargs)
        return Output(loss=loss, logits=logits, hidden=logits.detach())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Net()

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self.net(x, labels=y, label_smoothing=0.05)
        return {**out, "loss": out.loss}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1283)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'forward computes the loss and returns an ordered dict with attributes, as transformers does.',
    'all_grads_by_step': 1,
    'source': 'own',
}
