# SPDX-License-Identifier: Apache-2.0
"""Deep supervision: the terms of the early exits are wrapped again before stack().mean()."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EarlyExit(nn.Module):
    def __init__(self, dim, classes, depth):
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(dim, dim) for _ in range(depth))
        self.exits = nn.ModuleList(nn.Linear(dim, classes) for _ in range(depth))
        self.final = nn.ModuleList(nn.Linear(classes, classes) for _ in range(depth))

    def forward(self, x):
        outs = []
        for block, leave, final in zip(self.blocks, self.exits, self.final, strict=True):
            x = torch.relu(block(x)) + x
            outs.append(final(leave(x)))
        return outs


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = EarlyExit(6, 3, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        outs = self.net(x)
        consistency = []
        for early in outs[:-1]:
            term = F.kl_div(early.log_softmax(1), outs[-1].softmax(1), reduction="batchmean")
            consistency.append(torch.tensor(term))  # <-- CAUSE
        agree = torch.stack(consistency).mean()
        self.log("agree", agree)
        main = torch.stack([F.cross_entropy(o, y) for o in outs]).mean()
        return main + agree

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(468)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "torch.tensor",
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "agree",
    "source": "own",
    "notes": "",
}
