# SPDX-License-Identifier: Apache-2.0
"""Task weights follow the ratio of the last two logged losses, kept as Python lists."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(5, 8)
        self.tasks = nn.ModuleDict({"depth": nn.Linear(8, 1), "normal": nn.Linear(8, 3)})
        self.history = []

    def weights(self):
        if len(self.history) < 2:
            return torch.ones(2)
        ratio = torch.tensor([a / b for a, b in zip(self.history[-1], self.history[-2], strict=True)])
        return 2 * torch.softmax(ratio / 2.0, 0)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.tanh(self.trunk(x))
        losses = torch.stack([
            F.smooth_l1_loss(self.tasks["depth"](h).squeeze(1), y),
            1 - F.cosine_similarity(self.tasks["normal"](h), x[:, :3]).mean(),
        ])
        total = (self.weights() * losses).sum()
        self.history.append([v.item() for v in losses])
        return total

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(517)
    data = TensorDataset(torch.randn(24, 5, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The weights are numbers of the past; torch.stack keeps the present losses differentiable.",
    "steps": 4, "all_grads_by_step": 1,
    "source": "own",
}
