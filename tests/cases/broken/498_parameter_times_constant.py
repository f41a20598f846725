# SPDX-License-Identifier: Apache-2.0
"""nn.Parameter(...) * 0.1 stores a non-leaf tensor; it survives one backward only."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PromptTuning(nn.Module):
    def __init__(self, n, dim):
        super().__init__()
        self.prompt = nn.Parameter(torch.randn(n, dim)) * 0.1  # <-- CAUSE

    def forward(self, x):
        prompt = self.prompt.expand(len(x), *self.prompt.shape)
        return torch.cat([prompt, x], dim=1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.tune = PromptTuning(2, 4)
        self.rnn = nn.GRU(4, 6, batch_first=True)
        self.cls = nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        seq, y = batch
        _, h = self.rnn(self.tune(seq))
        return F.cross_entropy(self.cls(h[-1]), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(498)
    x = torch.randn(12, 5, 4, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "non_leaf_parameter",
    "cause_alt": ["not_registered", "mul", "Tensor.mul"],
    "line_marker": "# <-- CAUSE",
    "params": ["tune.prompt"],
    "metric_like": None,
    "error": "backward through the graph a second time",
    "onset_step": 2,
    "source": "own",
    "notes": "The same mistake with .double() trains on, because a cast saves no tensor.",
}
