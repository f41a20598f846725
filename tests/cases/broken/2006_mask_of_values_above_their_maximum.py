# SPDX-License-Identifier: Apache-2.0
"""The mask of the reconstruction penalty asks for values above the maximum and is empty."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 8), nn.Linear(8, 6)
        self.cls = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.tanh(self.enc(x))
        rec = self.dec(h)
        loss = F.cross_entropy(self.cls(h), y) + 0.1 * F.mse_loss(rec, x)
        peak = (x > x.amax(dim=1, keepdim=True)).float()  # <-- CAUSE
        peaks = (peak * (rec - x).abs()).sum() / peak.sum().clamp(min=1)  # <-- ALSO
        self.log("peaks", peaks)
        return loss + peaks

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2006)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'mask', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The mask of the reconstruction penalty asks for values above the maximum and is empty.', 'also_marker': '# <-- ALSO', 'term': 'peaks'}
