# SPDX-License-Identifier: Apache-2.0
"""Hypernetwork generates the weights of a small network used by functional_call; its own parameters are frozen placeholders."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 1)).requires_grad_(False)
        self.shapes = {k: p.shape for k, p in self.main.named_parameters()}
        total = sum(s.numel() for s in self.shapes.values())
        self.task = nn.Embedding(4, 5)
        self.hyper = nn.Sequential(nn.Linear(5, 16), nn.ReLU(), nn.Linear(16, total))

    def weights(self, task):
        flat, out, i = self.hyper(self.task(task)), {}, 0
        for k, s in self.shapes.items():
            out[k] = flat[i : i + s.numel()].view(s)
            i += s.numel()
        return out

    def training_step(self, batch, batch_idx):
        t, x, y = batch
        losses = [
            F.mse_loss(torch.func.functional_call(self.main, self.weights(ti), (xi,)), yi) for ti, xi, yi in zip(t, x, y)
        ]
        return torch.stack(losses).mean()

    def configure_optimizers(self):
        return torch.optim.Adam([p for p in self.parameters() if p.requires_grad])


def dataloader():
    g = torch.Generator().manual_seed(935)
    return DataLoader(TensorDataset(torch.randint(0, 4, (12,), generator=g), torch.randn(12, 5, 3, generator=g), torch.randn(12, 5, 1, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Hypernetwork generates the weights of a small network used by functional_call; its own parameters are frozen placeholders.', 'all_grads_by_step': 1, 'source': 'held'}
