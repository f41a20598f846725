# SPDX-License-Identifier: Apache-2.0
"""An inner LightningModule is a teacher, frozen by freeze(); the student is frozen and unfrozen around a probe."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Net(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 1)

    def forward(self, x):
        return self.fc(x)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.student, self.teacher = Net(), Net()
        self.teacher.freeze()

    def on_train_batch_start(self, batch, batch_idx):
        self.student.freeze()
        self.gap = float((self.student(batch[0]) - self.teacher(batch[0])).abs().mean())
        self.student.unfreeze()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.student(x), y) + 0.5 * F.mse_loss(self.student(x), self.teacher(x))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1249)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'An inner LightningModule is a teacher, frozen by freeze(); the student is frozen and unfrozen around a probe.',
    'all_grads_by_step': 1,
    'source': 'own',
}
