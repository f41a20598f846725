# SPDX-License-Identifier: Apache-2.0
"""The optimizer gets the weights of self.net.head only through a mistyped prefix filter."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder, self.enc_norm = nn.Linear(6, 8), nn.LayerNorm(8)
        self.head = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.head(self.enc_norm(self.encoder(x)).relu()), y)

    def configure_optimizers(self):
        named = dict(self.named_parameters())
        slow = [p for n, p in named.items() if n.startswith("encoder.")]
        fast = [p for n, p in named.items() if not n.startswith("enc")]  # <-- ALSO
        return torch.optim.SGD([{"params": slow, "lr": 0.01}, {"params": fast}], lr=0.1)  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(2312)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'not_optimized', 'cause': 'optimizer_params', 'line_marker': '# <-- CAUSE', 'params': ['enc_norm.*'], 'metric_like': None, 'source': 'own', 'notes': 'The optimizer gets the weights of self.net.head only through a mistyped prefix filter.', 'also_marker': '# <-- ALSO'}
