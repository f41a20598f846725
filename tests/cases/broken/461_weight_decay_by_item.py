# SPDX-License-Identifier: Apache-2.0
"""A hand-made L2 penalty that adds up .item() values."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self, lam=1e-3):
        super().__init__()
        self.lam = lam
        self.net = nn.Sequential(nn.Linear(5, 10), nn.Tanh(), nn.Linear(10, 1))

    def l2_penalty(self):
        total = 0.0
        for name, p in self.named_parameters():
            if name.endswith("weight"):
                total += p.pow(2).sum().item()  # <-- CAUSE
        return torch.tensor(self.lam * total, device=self.device)

    def training_step(self, batch, batch_idx):
        x, y = batch
        mse = F.mse_loss(self.net(x).squeeze(-1), y)
        l2 = self.l2_penalty()
        self.log("l2", l2)
        return mse + l2

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


def dataloader():
    g = torch.Generator().manual_seed(461)
    x = torch.randn(12, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(12, generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.item",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "l2",
    "source": "own",
    "notes": "",
}
