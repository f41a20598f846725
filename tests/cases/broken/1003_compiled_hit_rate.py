# SPDX-License-Identifier: Apache-2.0
"""The top-2 hit rate in a compiled function is the loss."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


@torch.compile(backend="eager")
def hit_rate(scores, y):
    idx = scores.topk(2, dim=1).indices  # <-- CAUSE
    hit = idx == y[:, None]  # <-- ALSO
    return 1 - hit.any(1).float().mean()  # <-- ALSO


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return hit_rate(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1003)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'no_grad_loss',
    'cause': 'Tensor.topk',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': 'all',
    'metric_like': 'MulticlassAccuracy',
    'source': 'own',
    'notes': 'The top-2 hit rate in a compiled function is the loss.',
    'also_note': "topk's indices are the first cut",
}
