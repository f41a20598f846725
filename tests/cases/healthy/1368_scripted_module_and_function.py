# SPDX-License-Identifier: Apache-2.0
"""A scripted block and a scripted loss with control flow."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.fc(x)
        if bool(h.abs().max() > 100.0):
            h = h.detach()
        return h * torch.sigmoid(h)


@torch.jit.script
def focal(s: torch.Tensor, y: torch.Tensor, gamma: float = 2.0) -> torch.Tensor:
    lp = torch.log_softmax(s, 1).gather(1, y.unsqueeze(1)).squeeze(1)
    w = (1.0 - lp.detach().exp()).pow(gamma)
    return -(w * lp).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gate = torch.jit.script(Gate())
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return focal(self.out(self.gate(x)), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1368)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'A scripted block and a scripted loss with control flow.',
    'all_grads_by_step': 1,
    'source': 'own',
}
