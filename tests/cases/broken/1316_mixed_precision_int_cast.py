# SPDX-License-Identifier: Apache-2.0
"""With bf16-mixed precision the learned shift is cast to integers for roll."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


TRAINER = {"precision": "bf16-mixed", "accumulate_grad_batches": 2}


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.shift = nn.Linear(6, 1)
        self.out = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        k = self.shift(x).squeeze(1).abs().to(torch.int32)  # <-- CAUSE
        rolled = x.gather(1, (torch.arange(6) + k[:, None]).long() % 6)
        return F.mse_loss(self.out(rolled).float(), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1316)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.to',
    'line_marker': '# <-- CAUSE',
    'params': ['shift.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'With bf16-mixed precision the learned shift is cast to integers for roll.',
}
