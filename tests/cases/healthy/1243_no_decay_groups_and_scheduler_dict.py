# SPDX-License-Identifier: Apache-2.0
"""Decay and no-decay groups cover everything, foreach, OneCycleLR per step, clipping and accumulation."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"accumulate_grad_batches": 2, "gradient_clip_val": 0.5}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        decay = [p for p in self.parameters() if p.ndim > 1]
        rest = [p for p in self.parameters() if p.ndim <= 1]
        opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=1e-3, foreach=True)
        sch = torch.optim.lr_scheduler.OneCycleLR(opt, 1e-2, total_steps=10)
        return ({"optimizer": opt, "lr_scheduler": {"scheduler": sch, "interval": "step", "frequency": 1}},)


def dataloader():
    g = torch.Generator().manual_seed(1243)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Decay and no-decay groups cover everything, foreach, OneCycleLR per step, clipping and accumulation.',
    'all_grads_by_step': 1,
    'source': 'own',
}
