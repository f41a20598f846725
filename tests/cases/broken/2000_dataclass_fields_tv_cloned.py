# SPDX-License-Identifier: Apache-2.0
"""Terms of a dataclass are added by its fields; the smoothness was detached for the record first."""
import dataclasses
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


@dataclasses.dataclass
class Terms:
    fit: torch.Tensor
    smooth: torch.Tensor
    ridge: torch.Tensor

    def total(self, weights):
        return sum(w * getattr(self, f.name) for w, f in zip(weights, dataclasses.fields(self)))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 1, 3, padding=1))

    def roughness(self, img):
        rows = (img[:, :, 1:] - img[:, :, :-1]).abs().mean()
        cols = (img[..., 1:] - img[..., :-1]).abs().mean()
        return torch.clone((rows + cols).detach())  # <-- CAUSE

    def training_step(self, batch, batch_idx):
        x, _ = batch
        out = self.net(x)
        ridge = sum(p.pow(2).sum() for p in self.net.parameters())
        terms = Terms(F.mse_loss(out, x), self.roughness(out), ridge)
        self.log_dict({"fit": terms.fit, "smooth": terms.smooth})
        return terms.total((1.0, 0.3, 1e-3))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2000)
    return DataLoader(TensorDataset(torch.randn(48, 1, 8, 8, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'detach', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'Terms of a dataclass are added by its fields; the smoothness was detached for the record first.', 'term': 'smooth'}
