# SPDX-License-Identifier: Apache-2.0
"""AveragedModel follows after each batch; its parameters are in no optimizer."""
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
        self.swa = AveragedModel(self.net, multi_avg_fn=get_ema_multi_avg_fn(0.9))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.swa.update_parameters(self.net)

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(1278)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'AveragedModel follows after each batch; its parameters are in no optimizer.',
    'all_grads_by_step': 1,
    'source': 'own',
    'never': ['swa.*'],
}
