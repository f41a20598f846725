# SPDX-License-Identifier: Apache-2.0
"""Virtual adversarial training: power iteration on a detached direction, KL to a detached prediction."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 8), nn.SiLU(), nn.Linear(8, 3))

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        with torch.no_grad():
            p = logits.softmax(1)
        d = F.normalize(torch.randn_like(x), dim=1)
        for _ in range(2):
            d.requires_grad_()
            kl = F.kl_div(self.net(x + 1e-1 * d).log_softmax(1), p, reduction="batchmean")
            d = F.normalize(torch.autograd.grad(kl, d)[0], dim=1).detach()
        lds = F.kl_div(self.net(x + d).log_softmax(1), p, reduction="batchmean")
        return F.cross_entropy(logits, y) + lds

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(763)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "The divergence at the perturbed input is differentiable.",
    "all_grads_by_step": 1,
    "source": "own",
}
