# SPDX-License-Identifier: Apache-2.0
"""Knowledge distillation with soft targets and feature hints from a frozen teacher in inference mode."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.teacher = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Dropout(), nn.Linear(20, 3)).eval()
        for p in self.teacher.parameters():
            p.requires_grad = False
        self.low, self.high = nn.Linear(6, 8), nn.Linear(8, 3)
        self.adapt = nn.Linear(8, 20)

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.teacher.eval()
        with torch.no_grad():
            hint = self.teacher[1](self.teacher[0](x))
            soft = (self.teacher(x) / 4).softmax(1)
        h = torch.relu(self.low(x))
        logits = self.high(h)
        kd = F.kl_div((logits / 4).log_softmax(1), soft, reduction="batchmean") * 16
        return 0.5 * kd + 0.5 * F.cross_entropy(logits, y) + F.mse_loss(self.adapt(h), hint)

    def configure_optimizers(self):
        return torch.optim.Adam(filter(lambda p: p.requires_grad, self.parameters()))


def dataloader():
    g = torch.Generator().manual_seed(588)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 3, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Teacher outputs are targets.",
    "all_grads_by_step": 1,
    "source": "own",
}
