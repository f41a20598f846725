# SPDX-License-Identifier: Apache-2.0
"""A freeze helper takes a name prefix; the prefix given matches every parameter."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


def freeze(module, prefix):
    for name, param in module.named_parameters():
        if name.startswith(prefix):
            param.requires_grad_(False)  # <-- CAUSE
    return module


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(6, 8), nn.ReLU())
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.backbone(x))


class Model(pl.LightningModule):
    def __init__(self, frozen=("",)):
        super().__init__()
        self.net = Net()
        for prefix in frozen:
            freeze(self.net, prefix)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(333)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "requires_grad_",
    "cause_alt": ["requires_grad=False", "Tensor.requires_grad_", "frozen"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
