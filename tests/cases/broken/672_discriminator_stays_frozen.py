# SPDX-License-Identifier: Apache-2.0
"""The discriminator is frozen for the generator's batch and never released again."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def set_requires_grad(net, flag):
    for p in net.parameters():
        p.requires_grad = flag  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.g, self.d = nn.Linear(2, 4), nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))

    def training_step(self, batch, batch_idx):
        z, real = batch
        fake = self.g(z)
        if batch_idx % 2 == 0:
            return F.softplus(self.d(fake.detach())).mean() + F.softplus(-self.d(real)).mean()
        set_requires_grad(self.d, False)  # <-- ALSO
        return F.softplus(-self.d(fake)).mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(672)
    return DataLoader(TensorDataset(torch.randn(32, 2, generator=g), torch.randn(32, 4, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "requires_grad_",
    "cause_alt": ["Tensor.requires_grad_", "requires_grad", "requires_grad="],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["d.*"],
    "metric_like": None,
    "onset_step": 3,
    "steps": 4,
    "quiet": ["g.*"],
    "source": "own",
    "notes": "",
}
