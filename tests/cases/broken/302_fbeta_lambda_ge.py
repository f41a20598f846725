# SPDX-License-Identifier: Apache-2.0
"""F-beta with the threshold hidden in a module-level lambda and beta bound by partial."""

import functools

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


harden = lambda z: z.ge(0.0).to(torch.float32)  # noqa: E731  # <-- CAUSE


def fbeta(logit, y, beta, eps=1e-8):
    y_hat = harden(logit)
    tp = torch.sum(y_hat * y)
    precision = tp / (torch.sum(y_hat) + eps)
    recall = tp / (torch.sum(y) + eps)
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall + eps)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(7, 9), nn.Tanh(), nn.Linear(9, 1), nn.Flatten(0))
        self.score = functools.partial(fbeta, beta=2.0)

    def training_step(self, batch, batch_idx):
        feats, y = batch
        return -self.score(self.mlp(feats), y)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(302)
    x = torch.randn(24, 7, generator=g)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).float()), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.ge",
    "cause_alt": ["torch.ge"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "BinaryFBetaScore",
    "source": "own",
    "notes": "The .to(float32) is innocent, it only follows a tensor that is already boolean.",
}
