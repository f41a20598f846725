# SPDX-License-Identifier: Apache-2.0
"""loss.add(...) is not in place: the contrastive term is computed, logged and thrown away."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Projector(nn.Sequential):
    def __init__(self, n, m):
        super().__init__(nn.Linear(n, m), nn.ReLU(), nn.Linear(m, m))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.encoder = Projector(6, 8)
        self.cls = nn.Linear(8, 3)

    def alignment(self, a, b):
        return 1 - F.cosine_similarity(a, b, dim=1).mean()

    def training_step(self, batch, batch_idx):
        x, y = batch
        z = self.encoder(x)
        z_noisy = self.encoder(x + 0.05 * torch.randn_like(x))
        loss = F.cross_entropy(self.cls(z), y)
        align = self.alignment(z, z_noisy)
        loss.add(0.5 * align)  # <-- CAUSE
        self.log("align", align)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(472)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.add",
    "cause_alt": ["unused_result", "not_in_loss"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "term": "align",
    "not_in_loss": True,
    "source": "own",
    "notes": "",
}
