# SPDX-License-Identifier: Apache-2.0
"""L2-SP: the distance to the starting point is computed from state_dict(), whose tensors are detached."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.start = {k: torch.zeros_like(v) for k, v in self.net.state_dict().items()}

    def drift(self):
        now = self.net.state_dict()  # <-- CAUSE
        return torch.stack([(now[k] - v).norm() for k, v in self.start.items()]).sum()  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        drift = self.drift()
        self.log("drift", drift)
        return F.cross_entropy(self.net(x), y) + 1e-2 * drift

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2010)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'dead_term', 'cause': 'state_dict', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'L2-SP: the distance to the starting point is computed from state_dict(), whose tensors are detached.', 'also_marker': '# <-- ALSO', 'term': 'drift'}
