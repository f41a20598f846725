# SPDX-License-Identifier: Apache-2.0
"""The loss is 1 minus a score whose copy was marked."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def soft_dice(p, t):
    score = 2 * (p * t).sum() / (p.sum() + t.sum())
    return np.float32(score.detach().numpy())  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(1, 1, 3, padding=1)

    def training_step(self, batch, batch_idx):
        x, _ = batch
        score = torch.asarray(soft_dice(self.net(x).sigmoid(), (x > 0).float()), requires_grad=True)  # <-- ALSO
        return 1 - score

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2314)
    return DataLoader(TensorDataset(torch.randn(48, 1, 8, 8, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'leaf_loss', 'cause': 'numpy', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The loss is 1 minus a score whose copy was marked.', 'also_marker': '# <-- ALSO'}
