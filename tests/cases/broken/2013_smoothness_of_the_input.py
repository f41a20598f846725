# SPDX-License-Identifier: Apache-2.0
"""Total variation is taken of the input image where the output was meant."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def total_variation(img):
    return (img[..., 1:] - img[..., :-1]).abs().mean() + (img[..., 1:, :] - img[..., :-1, :]).abs().mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 1, 3, padding=1))

    def training_step(self, batch, batch_idx):
        x, _ = batch
        out = self.net(x)
        rec = F.mse_loss(out, x)
        tv = total_variation(x)  # <-- CAUSE
        self.log("tv", tv)
        return rec + 0.1 * tv

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2013)
    return DataLoader(TensorDataset(torch.randn(48, 1, 8, 8, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'not_in_graph', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Total variation is taken of the input image where the output was meant.', 'term': 'tv'}
