# SPDX-License-Identifier: Apache-2.0
"""The projector of the pretraining is left in the module, frozen and unused."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.projector, self.cls = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 4)
        self.projector.requires_grad_(False)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.cls(self.body(x).relu()), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(filter(lambda p: p.requires_grad, self.parameters()))


def dataloader():
    g = torch.Generator().manual_seed(2113)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The projector of the pretraining is left in the module, frozen and unused.', 'all_grads_by_step': 1, 'source': 'own'}
