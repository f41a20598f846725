# SPDX-License-Identifier: Apache-2.0
"""The colour-entropy term bins the output with one_hot of integer levels."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def level_entropy(img, levels=8):
    index = (img.clamp(0, 0.999) * levels).long()  # <-- CAUSE
    p = F.one_hot(index, levels).float().mean((0, 1))
    return -(p * (p + 1e-8).log()).sum()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(9, 9), nn.Sigmoid())

    def training_step(self, batch, batch_idx):
        (img,) = batch
        out = self.net(img)
        terms = {"rec": F.l1_loss(out, img), "entropy": -0.1 * level_entropy(out)}
        for name, value in terms.items():
            self.log(name, value)
        return torch.stack(list(terms.values())).sum()  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.RMSprop(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(698)
    x = torch.rand(24, 9, generator=g)
    return DataLoader(TensorDataset(x), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.long",
    "cause_alt": ["Tensor.to", "torch.bucketize"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "entropy",
    "source": "own",
    "notes": "",
}
