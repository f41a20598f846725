# SPDX-License-Identifier: Apache-2.0
"""LBFGS with strong Wolfe runs the closure several times for each batch."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.LBFGS(self.parameters(), lr=0.3, max_iter=4, line_search_fn="strong_wolfe")


def dataloader():
    g = torch.Generator().manual_seed(1277)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'LBFGS with strong Wolfe runs the closure several times for each batch.',
    'all_grads_by_step': 1,
    'source': 'own',
}
