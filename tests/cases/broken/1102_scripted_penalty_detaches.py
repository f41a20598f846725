# SPDX-License-Identifier: Apache-2.0
"""A TorchScript penalty detaches its argument."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


@torch.jit.script
def smoothness(p: torch.Tensor) -> torch.Tensor:
    q = p.detach()  # <-- ALSO
    return (q[1:] - q[:-1]).pow(2).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.net(x)
        smooth = smoothness(p)  # <-- CAUSE
        self.log("smooth", smooth)
        return F.mse_loss(p, y) + 0.5 * smooth

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1102)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A TorchScript penalty detaches its argument.',
    'term': 'smooth',
}
