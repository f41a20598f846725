# SPDX-License-Identifier: Apache-2.0
"""Rows are renormalised and clamped in hooks, .data.copy_ under no_grad."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc, self.out = nn.Linear(6, 8), nn.Linear(8, 1)

    def on_before_zero_grad(self, optimizer):
        self.fc.weight.data.copy_(F.normalize(self.fc.weight.data, dim=1))

    def on_train_batch_end(self, *args):
        with torch.no_grad():
            self.out.bias.clamp_(-1, 1)
            nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(self.out.parameters()) * 0.999, self.out.parameters())

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.out(self.fc(x).tanh()), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1251)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Rows are renormalised and clamped in hooks, .data.copy_ under no_grad.',
    'all_grads_by_step': 1,
    'source': 'own',
}
