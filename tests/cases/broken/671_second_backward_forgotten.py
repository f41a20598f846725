# SPDX-License-Identifier: Apache-2.0
"""Manual optimisation of two networks: the loss of the critic is computed, never sent back."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.actor, self.critic = nn.Linear(4, 2), nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        s, ret = batch
        opt_a, opt_c = self.optimizers()
        value = self.critic(s)[:, 0]
        loss_c = F.mse_loss(value, ret)  # <-- CAUSE
        logp = self.actor(s).log_softmax(1)[:, 0]
        loss_a = -(logp * (ret - value.detach())).mean()
        opt_a.zero_grad()
        opt_c.zero_grad()
        self.manual_backward(loss_a)  # <-- ALSO
        opt_a.step()
        opt_c.step()  # <-- ALSO
        self.log_dict({"actor": loss_a, "critic": loss_c})  # <-- ALSO

    def configure_optimizers(self):
        return [torch.optim.Adam(m.parameters()) for m in (self.actor, self.critic)]


def dataloader():
    g = torch.Generator().manual_seed(671)
    x = torch.randn(24, 4, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "no_backward",
    "cause_alt": ["manual_backward", "backward", "torch.nn.functional.mse_loss", "unused_result"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["critic.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
