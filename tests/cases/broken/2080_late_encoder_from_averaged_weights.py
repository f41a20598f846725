# SPDX-License-Identifier: Apache-2.0
"""From the third batch on the features come from the averaged encoder."""
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 8), nn.Linear(8, 4)
        self.avg = copy.deepcopy(self.enc).requires_grad_(False)

    def features(self, x):
        net = self.enc if self.global_step < 2 else self.avg  # <-- CAUSE
        return net(x).relu()  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        with torch.no_grad():
            for a, b in zip(self.avg.parameters(), self.enc.parameters()):
                a.lerp_(b, 0.1)
        return F.cross_entropy(self.cls(self.features(x)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2080)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'missing', 'cause': 'unused', 'line_marker': '# <-- CAUSE', 'params': ['enc.*'], 'metric_like': None, 'source': 'own', 'notes': 'From the third batch on the features come from the averaged encoder.', 'also_marker': '# <-- ALSO', 'quiet': ['avg.*'], 'onset_step': 3, 'steps': 6}
