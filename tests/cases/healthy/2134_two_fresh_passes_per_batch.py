# SPDX-License-Identifier: Apache-2.0
"""Manual: the optimizer steps twice per batch, each time after its own forward."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        before = None
        for _ in range(2):
            loss = F.cross_entropy(self.net(x), y)
            opt.zero_grad()
            self.manual_backward(loss)
            opt.step()
            gain = 0.0 if before is None else before - loss.item()
            before = loss.item()
        self.log("gain", gain)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2134)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Manual: the optimizer steps twice per batch, each time after its own forward.', 'all_grads_by_step': 1, 'source': 'own', 'steps': 6}
