# SPDX-License-Identifier: Apache-2.0
"""The form of the loss and the number of refinement passes are chosen from tensor values by plain ifs."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.start, self.refine = nn.Linear(4, 4), nn.Linear(4, 4)
        self.out = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.tanh(self.start(x))
        for _ in range(1 + int(h.abs().mean() * 3)):
            h = h + 0.1 * torch.tanh(self.refine(h))
        err = self.out(h).squeeze(1) - y
        worst = err.abs().max()
        if worst > 1.0:
            delta = float(worst) / 2
            return torch.where(err.abs() < delta, 0.5 * err ** 2, delta * (err.abs() - 0.5 * delta)).mean()
        return err.pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.Adagrad(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(518)
    data = TensorDataset(torch.randn(24, 4, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Values steer the program, they are not part of the result.",
    "all_grads_by_step": 1,
    "source": "own",
}
