# SPDX-License-Identifier: Apache-2.0
"""The logging mixin detaches copies and hands the live loss on."""
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
        shown = {k: v.detach() for k, v in out.items()}
        self.log("train", shown["loss"])
        return {**shown, "loss": out["loss"]}


class Model(QuietLogs, Base):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x):
        return self.net(x)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1200)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'The logging mixin detaches copies and hands the live loss on.',
    'all_grads_by_step': 1,
    'source': 'own',
}
