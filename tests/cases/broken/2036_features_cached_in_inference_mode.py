# SPDX-License-Identifier: Apache-2.0
"""The features of the support set were computed in inference mode at the start of the fit."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.proj = nn.Linear(6, 5), nn.Linear(5, 4, bias=False)
        self.support = None

    def on_train_start(self):
        with torch.inference_mode():
            self.support = torch.randn(4, 5).tanh()  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        keys = self.proj(self.support)  # <-- CAUSE
        return F.cross_entropy(self.proj(self.enc(x)) @ keys.T, y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2036)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'inference_mode', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'own', 'notes': 'The features of the support set were computed in inference mode at the start of the fit.', 'also_marker': '# <-- ALSO', 'error': 'Inference tensors cannot be saved for backward'}
