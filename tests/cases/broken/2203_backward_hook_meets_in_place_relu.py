# SPDX-License-Identifier: Apache-2.0
"""A full backward hook on a layer turns its result into a view, and an in-place relu follows."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.cls = nn.Linear(6, 8), nn.Linear(8, 4)
        self.norms = []
        self.enc.register_full_backward_hook(lambda m, gi, go: self.norms.append(go[0].norm().item()))  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = F.relu(self.enc(x), inplace=True)  # <-- CAUSE
        return F.cross_entropy(self.cls(h), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2203)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'inplace', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'A full backward hook on a layer turns its result into a view, and an in-place relu follows.', 'also_marker': '# <-- ALSO', 'error': 'modified inplace'}
