# SPDX-License-Identifier: Apache-2.0
"""Multi-exit classifier: every exit has a loss; the exit that would be taken is found by comparing detached confidences."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self, depth=3):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(6, 6), nn.ReLU()) for _ in range(depth))
        self.exits = nn.ModuleList(nn.Linear(6, 3) for _ in range(depth))

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits, teacher = [], None
        for block, ex in zip(self.blocks, self.exits):
            x = x + block(x)
            logits.append(ex(x))
        soft = logits[-1].detach().softmax(1)
        loss = sum(F.cross_entropy(lo, y) for lo in logits)
        loss = loss + sum(F.kl_div(lo.log_softmax(1), soft, reduction="batchmean") for lo in logits[:-1])
        conf = torch.stack([lo.detach().softmax(1).max(1).values for lo in logits])
        taken = (conf > 0.5).float().argmax(0)
        self.log("exit", taken.float().mean())
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(968)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Multi-exit classifier: every exit has a loss; the exit that would be taken is found by comparing detached confidences.', 'all_grads_by_step': 1, 'source': 'held'}
