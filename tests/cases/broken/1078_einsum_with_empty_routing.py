# SPDX-License-Identifier: Apache-2.0
"""The routing matrix of a mixture is built by comparing with the wrong range: no sample goes to any expert."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.base = nn.Linear(6, 4)
        self.experts = nn.Parameter(torch.randn(3, 6, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        owner = torch.arange(len(x)) % 3
        route = (owner[:, None] == torch.arange(3, 6)).float()  # <-- ALSO
        extra = torch.einsum("be,bi,eio->bo", route, x, self.experts)  # <-- CAUSE
        return F.cross_entropy(self.base(x) + extra, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1078)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'routing',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['experts'],
    'metric_like': None,
    'source': 'own',
    'notes': 'The routing matrix of a mixture is built by comparing with the wrong range: no sample goes to any expert.',
}
