# SPDX-License-Identifier: Apache-2.0
"""Logits go through DLPack to another library and back; DLPack wants a detached tensor."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Bridge:
    """Stand-in for a library that takes and gives DLPack capsules."""

    def softmax(self, capsule):
        return torch.from_dlpack(capsule).softmax(-1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.bridge = Bridge()

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        p = self.bridge.softmax(
            logits
            .detach()  # <-- CAUSE
            .contiguous()
        )
        return F.nll_loss(p.log(), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1009)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'Logits go through DLPack to another library and back; DLPack wants a detached tensor.',
}
