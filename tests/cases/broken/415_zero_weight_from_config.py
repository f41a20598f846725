# SPDX-License-Identifier: Apache-2.0
"""An auxiliary loss has the weight 0.0 left over from a sweep."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CONFIG = {"width": 8, "weights": {"class": 1.0, "box": 0.0, "mask": 0.5}}


class MultiTaskLoss(nn.Module):
    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def forward(self, parts):
        total = 0.0
        for name, value in parts.items():
            total = total + self.weights[name] * value  # <-- CAUSE
        return total


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        w = CONFIG["width"]
        self.trunk = nn.Sequential(nn.Linear(6, w), nn.GELU())
        self.heads = nn.ModuleDict(
            {"class": nn.Linear(w, 3), "box": nn.Linear(w, 4), "mask": nn.Linear(w, 6)},
        )
        self.total = MultiTaskLoss(CONFIG["weights"])

    def training_step(self, batch, batch_idx):
        x, y = batch
        out = {k: head(self.trunk(x)) for k, head in self.heads.items()}
        parts = {
            "class": F.cross_entropy(out["class"], y),
            "box": F.l1_loss(out["box"], x[:, :4]),
            "mask": F.mse_loss(out["mask"], x),
        }
        self.log_dict({f"train/{k}": v for k, v in parts.items()})
        return self.total(parts)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(415)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "mul",
    "cause_alt": ["Tensor.mul", "torch.mul"],
    "line_marker": "# <-- CAUSE",
    "params": ["heads.box.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
