# SPDX-License-Identifier: Apache-2.0
"""BYOL without its predictor: the loss compares the projections, the predictor module is built and never called."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 16), nn.ReLU())
        self.projector = nn.Linear(16, 8)
        self.predictor = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        self.target = copy.deepcopy(nn.Sequential(self.backbone, self.projector)).requires_grad_(False)

    def on_train_batch_end(self, *_):
        online = nn.Sequential(self.backbone, self.projector)
        with torch.no_grad():
            for t, o in zip(self.target.parameters(), online.parameters()):
                t.lerp_(o, 0.01)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        a, b = x + 0.1 * torch.randn_like(x), x * (1 + 0.1 * torch.randn_like(x))
        p1, p2 = self.projector(self.backbone(a)), self.projector(self.backbone(b))
        with torch.no_grad():
            t1, t2 = self.target(a), self.target(b)
        return 2 - F.cosine_similarity(p1, t2).mean() - F.cosine_similarity(p2, t1).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(815)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': None, 'line_marker': None, 'params': ['predictor.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing', 'quiet': ['target.*']}
