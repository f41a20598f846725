# SPDX-License-Identifier: Apache-2.0
"""The record gets detached copies of every term; the sum is made of the live ones."""
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

    def record(self):
        return {f.name: getattr(self, f.name).detach().clone() for f in dataclasses.fields(self)}

    def total(self):
        return self.fit + 0.1 * self.smooth


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(1, 1, 3, padding=1)

    def training_step(self, batch, batch_idx):
        x, _ = batch
        out = self.net(x)
        terms = Terms(F.mse_loss(out, x), (out[..., 1:] - out[..., :-1]).abs().mean())
        record = terms.record()
        self.log_dict(record)
        self.log("sum", sum(record.values()))
        return terms.total()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2100)
    return DataLoader(TensorDataset(torch.randn(48, 1, 8, 8, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The record gets detached copies of every term; the sum is made of the live ones.', 'all_grads_by_step': 1, 'source': 'own'}
