# SPDX-License-Identifier: Apache-2.0
"""Neural Turing machine: learned initial memory, soft content addressing, erase and add per step."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, slots=6, width=5):
        super().__init__()
        self.init_mem = nn.Parameter(0.1 * torch.randn(slots, width))
        self.ctrl = nn.GRUCell(3 + width, 12)
        self.key, self.beta = nn.Linear(12, width), nn.Linear(12, 1)
        self.erase, self.add = nn.Linear(12, width), nn.Linear(12, width)
        self.out = nn.Linear(12 + width, 3)

    def training_step(self, batch, batch_idx):
        (seq,) = batch
        b = len(seq)
        mem = self.init_mem.expand(b, -1, -1).clone()
        h, read, loss = torch.zeros(b, 12), torch.zeros(b, 5), 0.0
        for t in range(seq.size(1) - 1):
            h = self.ctrl(torch.cat([seq[:, t], read], 1), h)
            sim = F.cosine_similarity(mem, self.key(h)[:, None], dim=-1)
            w = (F.softplus(self.beta(h)) * sim).softmax(-1)
            mem = mem * (1 - w[..., None] * self.erase(h).sigmoid()[:, None]) + w[..., None] * self.add(h).tanh()[:, None]
            read = (w[..., None] * mem).sum(1)
            loss = loss + F.mse_loss(self.out(torch.cat([h, read], 1)), seq[:, t + 1])
        self.log("slot", w.argmax(-1).float().mean())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(943)
    return DataLoader(TensorDataset(torch.randn(12, 5, 3, generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Neural Turing machine: learned initial memory, soft content addressing, erase and add per step.', 'all_grads_by_step': 1, 'source': 'held'}
