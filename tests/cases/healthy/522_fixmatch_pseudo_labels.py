# SPDX-License-Identifier: Apache-2.0
"""Semi-supervised step: argmax of the weak view above a threshold is the label of the strong view."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        labelled, free = x[:3], x[3:]
        with torch.no_grad():
            conf, pseudo = self.net(free).softmax(1).max(1)
            sure = conf.ge(0.6).float()
        strong = self.net(free + 0.5 * torch.randn_like(free))
        extra = (F.cross_entropy(strong, pseudo, reduction="none") * sure).mean()
        self.log_dict({"extra": extra, "sure": sure.mean()})
        return F.cross_entropy(self.net(labelled), y[:3]) + extra

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05, nesterov=True, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(522)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "While the model is unsure the extra term is zero; the labelled part trains everything.",
    "all_grads_by_step": 1,
    "source": "own",
}
