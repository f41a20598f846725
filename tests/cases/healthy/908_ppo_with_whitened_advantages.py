# SPDX-License-Identifier: Apache-2.0
"""PPO epochs inside one step by manual optimisation: old log-probs and returns under no_grad, clipped ratio and value."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.body = nn.Sequential(nn.Linear(5, 16), nn.Tanh())
        self.pi, self.v = nn.Linear(16, 3), nn.Linear(16, 1)

    def evaluate(self, s, a):
        h = self.body(s)
        d = torch.distributions.Categorical(logits=self.pi(h))
        return d.log_prob(a), d.entropy(), self.v(h).squeeze(-1)

    def training_step(self, batch, batch_idx):
        s, a, ret = batch
        with torch.no_grad():
            old, _, v_old = self.evaluate(s, a)
            adv = ret - v_old
            adv = (adv - adv.mean()) / (adv.std() + 1e-8)
        opt = self.optimizers()
        for _ in range(3):
            logp, ent, v = self.evaluate(s, a)
            ratio = (logp - old).exp()
            pg = -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
            v_clip = v_old + (v - v_old).clamp(-0.2, 0.2)
            vf = torch.max((v - ret) ** 2, (v_clip - ret) ** 2).mean()
            opt.zero_grad()
            self.manual_backward(pg + 0.5 * vf - 0.01 * ent.mean())
            nn.utils.clip_grad_norm_(self.parameters(), 0.5)
            opt.step()
            kl = (old - logp).mean().item()
            if kl > 0.2:
                break
        self.log("kl", kl)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(908)
    return DataLoader(TensorDataset(torch.randn(24, 5, generator=g), torch.randint(0, 3, (24,), generator=g), torch.randn(24, generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'PPO epochs inside one step by manual optimisation: old log-probs and returns under no_grad, clipped ratio and value.', 'all_grads_by_step': 1, 'source': 'held', 'steps': 9}
