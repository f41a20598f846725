# SPDX-License-Identifier: Apache-2.0
"""Two towers: encode_text still carries the inference decorator, encode_image does not."""

from abc import ABC, abstractmethod

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Tower(nn.Module, ABC):
    def __init__(self, dim):
        super().__init__()
        self.proj = nn.Linear(dim, 4, bias=False)

    @abstractmethod
    def features(self, x): ...

    def forward(self, x):
        return F.normalize(self.proj(self.features(x)), dim=-1)


class ImageTower(Tower):
    def __init__(self):
        super().__init__(6)
        self.conv = nn.Conv1d(1, 6, 3)

    def features(self, x):
        return self.conv(x.unsqueeze(1)).amax(-1)


class TextTower(Tower):
    def __init__(self):
        super().__init__(5)
        self.tok = nn.EmbeddingBag(10, 5)

    def features(self, x):
        return self.tok(x)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.image, self.text = ImageTower(), TextTower()

    def encode_image(self, x):
        return self.image(x)

    @torch.inference_mode()  # <-- CAUSE
    def encode_text(self, ids):
        return self.text(ids)  # <-- ALSO

    def training_step(self, batch, batch_idx):
        img, ids = batch
        text = self.encode_text(ids).clone()  # <-- ALSO
        logits = 10 * self.encode_image(img) @ text.t()
        return F.cross_entropy(logits, torch.arange(len(img)))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(378)
    ids = torch.randint(0, 10, (12, 3), generator=g)
    return DataLoader(TensorDataset(torch.randn(12, 8, generator=g), ids), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "inference_mode",
    "cause_alt": ["torch.inference_mode", "no_grad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["text.*"],
    "metric_like": None,
    "source": "own",
    "notes": "The clone outside was added to make an error about inference tensors go away.",
}
