# SPDX-License-Identifier: Apache-2.0
"""Language-specific layers live in a plain dict."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class PerLanguage(nn.Module):
    def __init__(self, languages, dim):
        super().__init__()
        self.adapters = {lang: nn.Linear(dim, dim) for lang in languages}  # <-- CAUSE

    def forward(self, h, lang):
        return h + torch.relu(self.adapters[lang](h))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(10, 6)
        self.adapt = PerLanguage(["de", "fr"], 6)
        self.cls = nn.Linear(6, 3)

    def training_step(self, batch, batch_idx):
        tokens, y = batch
        lang = "de" if batch_idx % 2 == 0 else "fr"
        return F.cross_entropy(self.cls(self.adapt(self.emb(tokens).mean(1), lang)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(490)
    tokens = torch.randint(0, 10, (12, 4), generator=g)
    return DataLoader(TensorDataset(tokens, torch.randint(0, 3, (12,), generator=g)), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_registered",
    "cause": "python_dict",
    "line_marker": "# <-- CAUSE",
    "params": ["adapt.adapters.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
