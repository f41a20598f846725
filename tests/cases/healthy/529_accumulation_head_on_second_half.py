# SPDX-License-Identifier: Apache-2.0
"""Gradients accumulate over two batches and one head sees only every second of them."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"accumulate_grad_batches": 2}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.main = nn.Linear(5, 8), nn.Linear(8, 1)
        self.side = nn.Linear(8, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = F.leaky_relu(self.body(x))
        loss = F.mse_loss(self.main(h).squeeze(1), y)
        if batch_idx % 2:
            loss = loss + 0.1 * self.side(h).logsumexp(1).mean()
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(529)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "At each optimizer step the accumulated gradient of the side head is there.",
    "steps": 3, "all_grads_by_step": 2, "late": {"side.*": 2},
    "source": "own",
}
