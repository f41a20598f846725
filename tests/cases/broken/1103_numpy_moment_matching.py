# SPDX-License-Identifier: Apache-2.0
"""The spread of the features is measured with numpy inside a chained expression."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Spread(nn.Module):
    def forward(self, feats):
        sd = np.std(feats.detach().cpu().numpy(), axis=0)  # <-- CAUSE
        return torch.relu(1 - torch.from_numpy(sd)).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.out = nn.Linear(6, 8), nn.Linear(8, 1)
        self.spread = Spread()

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.net(x)
        terms = dict(fit=F.mse_loss(self.out(z), y), spread=self.spread(z))
        self.log_dict({k: v for k, v in terms.items() if k != "spread"})
        self.log("spread", terms["spread"])
        return torch.stack(list(terms.values())).sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1103)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'dead_term',
    'cause': 'Tensor.numpy',
    'line_marker': '# <-- CAUSE',
    'params': 'all',
    'metric_like': None,
    'source': 'own',
    'notes': 'The spread of the features is measured with numpy inside a chained expression.',
    'term': 'spread',
}
