# SPDX-License-Identifier: Apache-2.0
"""Manual accumulation over micro-batches with the step at every second batch."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Linear(5, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        for xs, ys in zip(x.split(2), y.split(2), strict=True):
            self.manual_backward(F.cross_entropy(self.net(xs), ys) / 8)
        if (batch_idx + 1) % 2 == 0:
            self.clip_gradients(opt, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
            opt.step()
            opt.zero_grad()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(776)
    x = torch.randn(48, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (48,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Gradients are kept between the batches.",
    "all_grads_by_step": 1,
    "steps": 3,
    "source": "own",
}
