# SPDX-License-Identifier: Apache-2.0
"""Metrics are computed in inference mode; beside them the features are detached."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.head = nn.Linear(6, 8), nn.Linear(8, 4)

    def _shared(self, batch, stage):
        x, y = batch
        z = self.enc(x).relu().detach()  # <-- CAUSE
        s = self.head(z)
        with torch.inference_mode():
            hit = s.argmax(1)
            self.log(f"{stage}_acc", (hit == y).float().mean())
        return F.cross_entropy(s, y)

    def training_step(self, batch, batch_idx):
        return self._shared(batch, "train")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1303)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Metrics are computed in inference mode; beside them the features are detached.',
}
