# SPDX-License-Identifier: Apache-2.0
"""Codebook usage is the perplexity of the counts that unique returns."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 3), nn.Linear(3, 6)
        self.codes = nn.Embedding(8, 3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z = self.enc(x)
        index = torch.cdist(z, self.codes.weight).argmin(1)  # <-- CAUSE
        q = self.codes(index)
        counts = torch.unique(index, return_counts=True)[1]  # <-- ALSO
        share = counts / counts.sum()
        losses = {"vq": F.mse_loss(q, z.detach()) + 0.25 * F.mse_loss(z, q.detach())}
        losses["rec"] = F.mse_loss(self.dec(z + (q - z).detach()), x)
        losses["usage"] = (share * share.log()).sum()
        self.log_dict(losses)
        total = 0.0
        for key, weight in (("rec", 1.0), ("vq", 1.0), ("usage", 0.1)):
            total = total + weight * losses[key]
        return total

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2012)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'torch.argmin', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Codebook usage is the perplexity of the counts that unique returns.', 'also_marker': '# <-- ALSO', 'term': 'usage', 'quiet': ['codes.*']}
