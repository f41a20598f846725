# SPDX-License-Identifier: Apache-2.0
"""Live gains from a ParameterDict stacked and normalised."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.gains = nn.ParameterDict({k: torch.zeros(()) for k in ("a", "b", "c")})
        self.paths = nn.ModuleDict({k: nn.Linear(6, 4) for k in ("a", "b", "c")})

    def training_step(self, batch, batch_idx):
        x, y = batch
        w = torch.stack(list(self.gains.values())).softmax(0)
        logits = sum(g * path(x) for g, path in zip(w.unbind(), self.paths.values()))
        self.logger and self.print({k: float(g) for k, g in self.gains.items()})
        return F.cross_entropy(logits, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1218)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Live gains from a ParameterDict stacked and normalised.',
    'all_grads_by_step': 1,
    'source': 'own',
}
