# SPDX-License-Identifier: Apache-2.0
"""The encoder returns its code and a penalty that a helper computes in inference mode."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(6, 5)

    @torch.inference_mode()  # <-- ALSO
    def whiteness(self, z):
        c = torch.cov(z.T)  # <-- ALSO
        return (c - torch.diag(c.diagonal())).square().sum()  # <-- ALSO

    def forward(self, x):
        z = torch.tanh(self.lin(x))
        return z, self.whiteness(z)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = Encoder(), nn.Linear(5, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z, white = self.enc(x)
        self.log("white", white)
        return torch.add(F.l1_loss(self.dec(z), x), white, alpha=0.1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2004)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'inference_mode', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The encoder returns its code and a penalty that a helper computes in inference mode.', 'also_marker': '# <-- ALSO', 'term': 'white'}
