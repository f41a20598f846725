# SPDX-License-Identifier: Apache-2.0
"""A perplexity term goes through math.exp."""

import math

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 6)
        self.out = nn.Linear(6, 12)

    def training_step(self, batch, batch_idx):
        x, y = batch
        nll = F.cross_entropy(self.out(self.emb(x)).flatten(0, 1), y.flatten())
        ppl = x.new_tensor(math.exp(nll), dtype=torch.float)  # <-- CAUSE
        self.log("ppl", ppl)
        return nll + 1e-3 * ppl  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(697)
    x = torch.randint(1, 12, (24, 5), generator=g)
    y = x.roll(-1, 1)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "math.exp",
    "cause_alt": ["float", "Tensor.__float__"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "ppl",
    "source": "own",
    "notes": "",
}
