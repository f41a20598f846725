# SPDX-License-Identifier: Apache-2.0
"""The maximum is subtracted as a constant; counts and thresholds shape a constant weighting."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.net(x)
        z = z - z.detach().amax(1, keepdim=True)
        logp = z - z.exp().sum(1, keepdim=True).log()
        hard = (logp.exp().max(1).values < 0.9).float()
        return -(hard * logp.gather(1, y[:, None])[:, 0]).sum() / hard.sum().clamp(min=1)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(764)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Subtracting a detached maximum does not change the gradient.",
    "all_grads_by_step": 1,
    "source": "own",
}
