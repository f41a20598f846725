# SPDX-License-Identifier: Apache-2.0
"""log_softmax runs over the dimension of size one that unsqueeze added."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class NLL(nn.Module):
    def forward(self, scores, y):
        lp = F.log_softmax(scores.unsqueeze(1), dim=1)  # <-- CAUSE
        return -lp.squeeze(1).gather(1, y[:, None]).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.loss = NLL()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.loss(self.net(x), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1073)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'zero',
    'cause': 'log_softmax',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'log_softmax runs over the dimension of size one that unsqueeze added.',
}
