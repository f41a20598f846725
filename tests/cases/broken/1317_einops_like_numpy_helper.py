# SPDX-License-Identifier: Apache-2.0
"""A little rearrange() helper of the user's works on arrays."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def rearrange(t, pattern):
    a = np.asarray(t.detach())  # <-- CAUSE
    left, right = (side.split() for side in pattern.split("->"))
    return torch.from_numpy(np.ascontiguousarray(a.transpose([left.index(n) for n in right])))  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(6, 6)
        self.mix = nn.Conv1d(6, 4, 3, padding=1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = rearrange(self.enc(x), "b t c -> b c t")
        return F.cross_entropy(self.mix(z).amax(-1), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1317)
    return DataLoader(TensorDataset(torch.randn(24, 5, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.numpy',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['enc.*'],
    'metric_like': None,
    'source': 'own',
    'notes': "A little rearrange() helper of the user's works on arrays.",
}
