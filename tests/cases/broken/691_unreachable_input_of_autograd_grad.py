# SPDX-License-Identifier: Apache-2.0
"""A gradient penalty asks for the gradient of a detached input copy."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.critic = nn.Sequential(nn.Linear(4, 8), nn.Softplus(), nn.Linear(8, 1))

    def penalty(self, x, score):
        probe = x.detach().clone().requires_grad_()  # <-- ALSO
        (g,) = torch.autograd.grad(score.sum(), probe, create_graph=True)  # <-- CAUSE
        return (g.norm(2, dim=1) - 1).pow(2).mean()

    def training_step(self, batch, batch_idx):
        (x,) = batch
        score = self.critic(x)
        return score.mean() + 10 * self.penalty(x, score)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(691)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "torch.autograd.grad",
    "cause_alt": ["autograd.grad", "grad", "Tensor.detach"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "appears to not have been used in the graph",
    "source": "own",
    "notes": "",
}
