# SPDX-License-Identifier: Apache-2.0
"""Manual: every task's loss is sent back by itself through the shared trunk."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.trunk, self.heads = nn.Linear(6, 8), nn.ModuleList(nn.Linear(8, 4) for _ in range(3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        opt.zero_grad()
        h = self.trunk(x).tanh()  # <-- ALSO
        for head in self.heads:
            self.manual_backward(F.cross_entropy(head(h), y))  # <-- CAUSE
        opt.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2205)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'retain_graph', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': "Manual: every task's loss is sent back by itself through the shared trunk.", 'also_marker': '# <-- ALSO', 'error': 'second time'}
