# SPDX-License-Identifier: Apache-2.0
"""Terms are written to a JSON record and the loss is the sum over the record that was read back."""
import json
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Record(dict):
    def add(self, name, value):
        self[name] = value.tolist()  # <-- CAUSE
        return self

    @property
    def total(self):
        back = json.loads(json.dumps(self))
        return sum(back.values())


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        record = Record().add("ce", F.cross_entropy(logits, y)).add("z", logits.logsumexp(1).pow(2).mean())
        return x.new_tensor(record.total)  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1011)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.tolist',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'Terms are written to a JSON record and the loss is the sum over the record that was read back.',
}
