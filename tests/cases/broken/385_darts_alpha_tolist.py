# SPDX-License-Identifier: Apache-2.0
"""Architecture weights of a mixed operation are turned into a list of floats."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


OPS = {
    "skip": lambda d: nn.Identity(),
    "lin": lambda d: nn.Linear(d, d),
    "mlp": lambda d: nn.Sequential(nn.Linear(d, d), nn.ReLU()),
}


class MixedOp(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.ops = nn.ModuleList(make(d) for make in OPS.values())
        self.alpha = nn.Parameter(1e-3 * torch.randn(len(OPS)))

    def forward(self, x):
        weights = F.softmax(self.alpha, dim=0).tolist()  # <-- CAUSE
        return sum(w * op(x) for w, op in zip(weights, self.ops))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cells = nn.Sequential(MixedOp(4), MixedOp(4))
        self.out = nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.cells(x)), y)

    def configure_optimizers(self):
        alphas = [p for n, p in self.named_parameters() if n.endswith("alpha")]
        rest = [p for n, p in self.named_parameters() if not n.endswith("alpha")]
        return torch.optim.Adam([{"params": rest}, {"params": alphas, "lr": 3e-3}], lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(385)
    x = torch.randn(12, 4, generator=g)
    y = torch.randint(0, 2, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.tolist",
    "line_marker": "# <-- CAUSE",
    "params": ["cells.*.alpha"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
