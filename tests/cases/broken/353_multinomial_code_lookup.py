# SPDX-License-Identifier: Apache-2.0
"""A discrete latent is sampled by multinomial and looked up; the recognition net gets nothing."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DiscreteLatent(nn.Module):
    def __init__(self, dim, codes):
        super().__init__()
        self.posterior = nn.Linear(dim, codes)
        self.table = nn.Embedding(codes, dim)

    def forward(self, h):
        probs = torch.softmax(self.posterior(h), dim=-1)
        code = probs.multinomial(num_samples=1).squeeze(1)  # <-- CAUSE
        return self.table(code)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.latent = DiscreteLatent(6, 4)
        self.decoder = nn.Linear(6, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        return F.mse_loss(self.decoder(self.latent(x)), x)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(353)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.multinomial",
    "cause_alt": ["torch.multinomial"],
    "line_marker": "# <-- CAUSE",
    "params": ["latent.posterior.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
