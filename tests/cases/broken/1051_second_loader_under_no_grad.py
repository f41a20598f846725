# SPDX-License-Identifier: Apache-2.0
"""With two loaders in training, the loss of the second is computed under no_grad."""
from lightning_utilities.core.apply_func import apply_to_collection
from pytorch_lightning.utilities import CombinedLoader
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(6, 8)
        self.task = nn.Linear(8, 1)
        self.domain = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        (x, y), (u,) = batch["labelled"], batch["plain"]
        loss = F.mse_loss(self.task(self.trunk(x).relu()), y)
        with torch.no_grad():  # <-- CAUSE
            other = F.softplus(self.domain(self.trunk(u).relu())).mean()  # <-- ALSO
        return loss + 0.1 * other

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1051)
    a = TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g))
    b = TensorDataset(torch.randn(48, 6, generator=g))
    return CombinedLoader({"labelled": DataLoader(a, batch_size=8), "plain": DataLoader(b, batch_size=8)}, "max_size_cycle")


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'torch.no_grad',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['domain.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'With two loaders in training, the loss of the second is computed under no_grad.',
}
