# SPDX-License-Identifier: Apache-2.0
"""KL to the old policy: old and new agree in the first pass, its gradient is zero there."""
import copy
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.old = copy.deepcopy(self.net).requires_grad_(False)

    def training_step(self, batch, batch_idx):
        s, a = batch
        if self.global_step % 4 == 0:
            self.old.load_state_dict(self.net.state_dict())
        new, old = self.net(s).log_softmax(1), self.old(s).log_softmax(1)
        adv = s.sum(1) - s.sum(1).mean()
        ratio = (new - old).gather(1, a[:, None]).squeeze(1).exp()
        kl = F.kl_div(new, old, log_target=True, reduction="batchmean")
        self.log("kl", kl)
        return -(torch.min(ratio * adv, ratio.clamp(0.8, 1.2) * adv)).mean() + 0.2 * kl

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2132)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'KL to the old policy: old and new agree in the first pass, its gradient is zero there.', 'all_grads_by_step': 1, 'source': 'own', 'steps': 5}
