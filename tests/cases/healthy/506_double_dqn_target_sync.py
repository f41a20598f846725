# SPDX-License-Identifier: Apache-2.0
"""Double DQN: actions by argmax of the online net, values from a target net that is copied every second step."""

import copy

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.q = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
        self.q_target = copy.deepcopy(self.q)
        for p in self.q_target.parameters():
            p.requires_grad = False

    def training_step(self, batch, batch_idx):
        s, a, r, s2, done = batch
        value = self.q(s).gather(1, a.unsqueeze(1)).squeeze(1)
        with torch.no_grad():
            best = self.q(s2).argmax(1, keepdim=True)
            target = r + 0.9 * (1 - done) * self.q_target(s2).gather(1, best).squeeze(1)
        if self.global_step % 2 == 0:
            self.q_target.load_state_dict(self.q.state_dict())
        return F.smooth_l1_loss(value, target)

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.q.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(506)
    s, s2 = torch.randn(24, 4, generator=g), torch.randn(24, 4, generator=g)
    a, r = torch.randint(0, 3, (24,), generator=g), torch.randn(24, generator=g)
    done = (torch.rand(24, generator=g) < 0.2).float()
    return DataLoader(TensorDataset(s, a, r, s2, done), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The bootstrap target is a constant by definition; the chosen action value keeps its graph.",
    "all_grads_by_step": 1,
    "source": "own",
}
