# SPDX-License-Identifier: Apache-2.0
"""The whole module is handed to the optimizer although a frozen target copy is part of it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 3)
        self.reference = nn.Linear(6, 3)
        self.reference.load_state_dict(self.net.state_dict())
        for p in self.reference.parameters():
            p.requires_grad_(False)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        kl = F.kl_div(logits.log_softmax(1), self.reference(x).log_softmax(1), log_target=True, reduction="batchmean")
        return F.cross_entropy(logits, y) + 0.1 * kl

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(514)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Optimizers skip parameters without a gradient; the frozen copy is the point of the penalty.",
    "all_grads_by_step": 1,
    "source": "own",
}
