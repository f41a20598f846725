# SPDX-License-Identifier: Apache-2.0
"""Losses of several heads in a loop, with weights that are detached confidences."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.body, self.heads = nn.Linear(6, 8), nn.ModuleList(nn.Linear(8, 4) for _ in range(3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.body(x).tanh()
        outs = [head(h) for head in self.heads]
        mean = torch.stack(outs).mean(0).softmax(1).detach()
        loss = 0.0
        for z in outs:
            confidence = z.softmax(1).amax(1).mean().detach()
            loss = loss + confidence * F.cross_entropy(z, y) + 0.3 * F.kl_div(z.log_softmax(1), mean, reduction="batchmean")
        return loss / len(outs)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2334)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Losses of several heads in a loop, with weights that are detached confidences.', 'all_grads_by_step': 1, 'source': 'own'}
