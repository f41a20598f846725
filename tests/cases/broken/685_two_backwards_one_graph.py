# SPDX-License-Identifier: Apache-2.0
"""Two losses share the encoder's graph, the second backward finds it freed."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.enc, self.a, self.b = nn.Linear(5, 8), nn.Linear(8, 1), nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        opt = self.optimizers()
        opt.zero_grad()
        h = torch.sigmoid(self.enc(x))  # <-- ALSO
        self.manual_backward(F.mse_loss(self.a(h)[:, 0], x.sum(1)))  # <-- ALSO
        self.manual_backward(F.cross_entropy(self.b(h), y))  # <-- CAUSE
        opt.step()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(685)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "manual_backward",
    "cause_alt": ["backward", "retain_graph", "Tensor.backward"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "Trying to backward through the graph a second time",
    "source": "own",
    "notes": "",
}
