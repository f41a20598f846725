# SPDX-License-Identifier: Apache-2.0
"""A variance regulariser takes std over the batch; the last batch of the epoch holds one sample."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class VarianceTerm(nn.Module):
    def __init__(self, gamma=1.0):
        super().__init__()
        self.gamma = gamma

    def forward(self, z):
        return (self.gamma - z.std(dim=0)).square().mean()  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.decoder = nn.Linear(4, 6)
        self.variance = VarianceTerm()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        z = self.encoder(x)
        losses = {"rec": F.mse_loss(self.decoder(z), x), "var": self.variance(z)}
        return losses["rec"] + 0.1 * losses["var"]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def dataloader():
    g = torch.Generator().manual_seed(445)
    x = torch.randn(9, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "nonfinite",
    "cause": "Tensor.std",
    "line_marker": "# <-- CAUSE",
    "params": ["encoder.*"],
    "metric_like": None,
    "onset_step": 3,
    "steps": 3,
    "loss_finite": True,
    "source": "own",
    "notes": "The decoder gets finite gradients even in the step whose loss is NaN.",
}
