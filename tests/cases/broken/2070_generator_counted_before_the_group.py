# SPDX-License-Identifier: Apache-2.0
"""The generator of the backbone's parameters is counted first and empty when the optimizer gets it."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.head = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.backbone(x)), y)

    def configure_optimizers(self):
        backbone = (p for p in self.backbone.parameters() if p.requires_grad)
        self.size = sum(p.numel() for p in backbone)  # <-- ALSO
        groups = [{"params": backbone, "lr": 1e-4}, {"params": self.head.parameters()}]  # <-- ALSO
        return torch.optim.Adam(groups, lr=1e-3)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(2070)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'not_optimized', 'cause': 'exhausted', 'line_marker': '# <-- CAUSE', 'params': ['backbone.*'], 'metric_like': None, 'source': 'own', 'notes': "The generator of the backbone's parameters is counted first and empty when the optimizer gets it.", 'also_marker': '# <-- ALSO'}
