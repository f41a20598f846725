# SPDX-License-Identifier: Apache-2.0
"""PPO: old log-probabilities taken without grad, several passes over one rollout, manual optimisation."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.body = nn.Linear(4, 12)
        self.mu, self.value = nn.Linear(12, 2), nn.Linear(12, 1)
        self.log_std = nn.Parameter(torch.zeros(2))

    def act(self, s):
        h = torch.tanh(self.body(s))
        return torch.distributions.Normal(self.mu(h), self.log_std.exp()), self.value(h).squeeze(1)

    def training_step(self, batch, batch_idx):
        (s,) = batch
        with torch.no_grad():
            dist, v = self.act(s)
            a = dist.sample()
            old = dist.log_prob(a).sum(1)
            ret = -(a - s[:, :2]).pow(2).sum(1)
            adv = (ret - v - (ret - v).mean()) / (ret - v).std()
        opt = self.optimizers()
        for _ in range(2):
            dist, v = self.act(s)
            ratio = (dist.log_prob(a).sum(1) - old).exp()
            policy = -torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv).mean()
            loss = policy + 0.5 * F.mse_loss(v, ret) - 1e-2 * dist.entropy().sum(1).mean()
            opt.zero_grad()
            self.manual_backward(loss)
            self.clip_gradients(opt, gradient_clip_val=0.5, gradient_clip_algorithm="norm")
            opt.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=3e-4, eps=1e-5)


def dataloader():
    g = torch.Generator().manual_seed(511)
    return DataLoader(TensorDataset(torch.randn(24, 4, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The rollout is data; each pass recomputes the policy with grad.",
    "steps": 6, "all_grads_by_step": 1,
    "source": "own",
}
