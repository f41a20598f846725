# SPDX-License-Identifier: Apache-2.0
"""DQN: td(prediction, target) detaches its second argument, and is called the wrong way round; the target net is frozen."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def td(pred, target):
    return F.smooth_l1_loss(pred, target.detach())  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self, gamma=0.99):
        super().__init__()
        self.gamma = gamma
        self.online = nn.Sequential(nn.Linear(4, 24), nn.ReLU(), nn.Linear(24, 2))
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        s, a, r, s2, done = batch
        q = self.online(s).gather(1, a[:, None]).squeeze(1)
        q_next = r + self.gamma * (1 - done) * self.target(s2).max(1).values
        loss = td(q_next, q)  # <-- ALSO
        self.log("q", q.mean())
        return loss

    def on_train_batch_end(self, *_):
        if self.global_step % 2 == 0:
            self.target.load_state_dict(self.online.state_dict())

    def configure_optimizers(self):
        return torch.optim.Adam(self.online.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(808)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g), torch.randint(0, 2, (24,), generator=g), torch.randn(24, generator=g), torch.randn(24, 4, generator=g), torch.rand(24, generator=g).round()), batch_size=8)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.detach', 'line_marker': '# <-- CAUSE', 'params': ['online.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'no_grad_loss'}
