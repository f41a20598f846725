# SPDX-License-Identifier: Apache-2.0
"""The averaged copy is written with vector_to_parameters and serves as teacher."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.nn.utils import parameters_to_vector, vector_to_parameters


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 3)
        self.mean = copy.deepcopy(self.net).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        x, y = batch
        vec = parameters_to_vector(self.net.parameters()).detach()
        vector_to_parameters(0.9 * parameters_to_vector(self.mean.parameters()) + 0.1 * vec, self.mean.parameters())
        logits = self.net(x)
        soft = self.mean(x).softmax(1)
        return F.cross_entropy(logits, y) + F.cross_entropy(logits, soft)

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters())


def dataloader():
    g = torch.Generator().manual_seed(752)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The copy is outside of the optimizer and outside of the graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
