# SPDX-License-Identifier: Apache-2.0
"""Soft F1 in TorchScript; the hard one is only logged."""
from typing import Tuple
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


@torch.jit.script
def soft_f1(p: torch.Tensor, t: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
    hard = (p > 0.5).float()
    acc = (hard == t).float().mean()
    return 1.0 - 2.0 * (p * t).sum() / (p.sum() + t.sum() + 1e-6), acc


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, t = batch
        loss, acc = soft_f1(self.net(x).sigmoid(), t)
        self.log("acc", acc)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1202)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 2, (24, 1), generator=g).float()), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Soft F1 in TorchScript; the hard one is only logged.',
    'all_grads_by_step': 1,
    'source': 'own',
}
