# SPDX-License-Identifier: Apache-2.0
"""Manual optimisation of a GAN whose discriminator step minimises its error rate."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def bce(logit, real):
    return F.binary_cross_entropy_with_logits(logit, torch.full_like(logit, float(real)))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.G = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
        self.D = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

    def d_error(self, real, fake):
        missed = self.D(real) < 0  # <-- CAUSE
        fooled = self.D(fake) > 0  # <-- ALSO
        return 0.5 * (missed.float().mean() + fooled.float().mean())

    def training_step(self, batch, batch_idx):
        (real,) = batch
        opt_g, opt_d = self.optimizers()
        fake = self.G(torch.randn(len(real), 2))
        opt_d.zero_grad()
        self.manual_backward(self.d_error(real, fake.detach()))  # <-- ALSO
        opt_d.step()
        opt_g.zero_grad()
        self.manual_backward(bce(self.D(fake), True))
        opt_g.step()

    def configure_optimizers(self):
        nets = (self.G, self.D)
        return [torch.optim.Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.9)) for m in nets]


def dataloader():
    g = torch.Generator().manual_seed(330)
    return DataLoader(TensorDataset(torch.randn(12, 3, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.lt",
    "cause_alt": ["torch.gt", "Tensor.lt", "Tensor.gt"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["D.*"],
    "metric_like": "BinaryAccuracy",
    "quiet": ["G.*"],
    "source": "own",
    "notes": "The run stops before the generator is judged.",
}
