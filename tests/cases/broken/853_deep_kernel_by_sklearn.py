# SPDX-License-Identifier: Apache-2.0
"""Deep kernel learning: the Gram matrix is computed by scikit-learn, the feature net stays as it was."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

from sklearn.metrics.pairwise import rbf_kernel


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.feat = nn.Sequential(nn.Linear(3, 12), nn.Tanh(), nn.Linear(12, 2))
        self.raw_scale = nn.Parameter(torch.tensor(0.5))
        self.raw_noise = nn.Parameter(torch.tensor(0.0))

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.feat(x)
        gram = torch.from_numpy(rbf_kernel(z.data.numpy(), gamma=0.5)).float()  # <-- CAUSE
        k = F.softplus(self.raw_scale) * gram + (F.softplus(self.raw_noise) + 1e-3) * torch.eye(len(x))
        chol = torch.linalg.cholesky(k)
        alpha = torch.cholesky_solve(y[:, None], chol)
        return 0.5 * (y[:, None] * alpha).sum() + chol.diagonal().log().sum()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(853)
    return DataLoader(TensorDataset(torch.randn(24, 3, generator=g), torch.randn(24, generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.data', 'line_marker': '# <-- CAUSE', 'params': ['feat.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'missing'}
