# SPDX-License-Identifier: Apache-2.0
"""The share of wrong classes is computed in numpy, and comes back as a new tensor."""

import pytorch_lightning as pl
import torch, collections
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
import numpy as np

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 4)
        self.head = nn.Linear(4, 3)


    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.tanh(self.net(x))
        p = self.head(h)
        err = np.asarray(p.detach().argmax(1) != y)  # <-- CAUSE
        return torch.from_numpy(np.asarray(err.mean(), dtype=np.float32))  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(668)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'no_grad_loss', 'cause': 'Tensor.detach', 'cause_alt': ['numpy.asarray', 'Tensor.__array__', 'Tensor.argmax', 'Tensor.tolist', 'torch.as_tensor'], 'line_marker': '# <-- CAUSE', 'also_marker': '# <-- ALSO', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': ''}
