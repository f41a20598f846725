# SPDX-License-Identifier: Apache-2.0
"""A logging mixin takes the dict of super().training_step() and detaches the loss in place."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Base(pl.LightningModule):
    def training_step(self, batch, batch_idx):
        x, y = batch
        out = self(x)
        return {"loss": F.cross_entropy(out, y), "preds": out}


class QuietLogs:
    def training_step(self, *args, **kwargs):
        out = super().training_step(*args, **kwargs)
        for key, value in out.items():
            out[key] = value.detach()  # <-- CAUSE
        self.log("train", out["loss"])
        return out


class Model(QuietLogs, Base):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x):
        return self.net(x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1000)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.detach',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A logging mixin takes the dict of super().training_step() and detaches the loss in place.',
}
