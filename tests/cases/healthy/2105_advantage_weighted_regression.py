# SPDX-License-Identifier: Apache-2.0
"""The weights exp(advantage) are detached; the value has its own regression."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.pi, self.v = nn.Linear(6, 4), nn.Linear(6, 1)

    def training_step(self, batch, batch_idx):
        x, a = batch
        ret = x.sum(1)
        value = self.v(x).squeeze(1)
        weight = torch.exp((ret - value).detach() / 2).clamp(max=20.0)
        logp = self.pi(x).log_softmax(1).gather(1, a[:, None]).squeeze(1)
        entropy = -(logp.detach().exp() * logp.detach()).mean()
        self.log("entropy", entropy)
        return -(weight * logp).mean() + 0.5 * F.mse_loss(value, ret)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2105)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'The weights exp(advantage) are detached; the value has its own regression.', 'all_grads_by_step': 1, 'source': 'own'}
