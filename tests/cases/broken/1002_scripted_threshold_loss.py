# SPDX-License-Identifier: Apache-2.0
"""The soft F1 was hardened inside a TorchScript function."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


@torch.jit.script
def hard_f1(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    b = (p > 0.5).float()  # <-- ALSO
    return 1.0 - 2.0 * (b * t).sum() / (b.sum() + t.sum() + 1e-6)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, t = batch
        p = self.net(x).sigmoid()
        return hard_f1(p, t)  # <-- CAUSE

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1002)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 2, (24, 1), generator=g).float()), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'torch.gt',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'The soft F1 was hardened inside a TorchScript function.',
}
