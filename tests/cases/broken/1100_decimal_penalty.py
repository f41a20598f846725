# SPDX-License-Identifier: Apache-2.0
"""A penalty is rounded by the decimal module before it joins the nested dict of losses."""
from decimal import Decimal
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


def flat(tree):
    for value in tree.values():
        yield from flat(value) if isinstance(value, dict) else (value,)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.net(x)
        size = Decimal(str(p.abs().mean().item())).quantize(Decimal("0.001"))  # <-- CAUSE
        size = torch.as_tensor(float(size))  # <-- ALSO
        losses = {"fit": F.mse_loss(p, y), "reg": {"size": 0.1 * size}}
        self.log("size", size)
        return sum(flat(losses))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1100)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'Tensor.item',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'A penalty is rounded by the decimal module before it joins the nested dict of losses.',
    'term': 'size',
}
