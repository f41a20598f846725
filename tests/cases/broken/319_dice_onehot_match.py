# SPDX-License-Identifier: Apache-2.0
"""Multi-class Dice over one-hot predictions, with the averaging picked by a match statement."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class DiceLoss(nn.Module):
    def __init__(self, classes, average="macro"):
        super().__init__()
        self.classes, self.average = classes, average

    def forward(self, logits, target):
        labels = logits.argmax(1)  # <-- CAUSE
        hot, ref = (F.one_hot(t, self.classes).float() for t in (labels, target))
        inter, size = (hot * ref).sum((0, 1, 2)), (hot + ref).sum((0, 1, 2))
        match self.average:
            case "macro":
                dice = (2 * inter / size.clamp(min=1)).mean()
            case "micro":
                dice = 2 * inter.sum() / size.sum()
            case other:
                raise ValueError(other)
        return 1 - dice


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.seg = nn.Conv2d(1, 3, 3, padding="same")
        self.dice = DiceLoss(3)

    def training_step(self, batch, batch_idx):
        img, lab = batch
        return self.dice(self.seg(img), lab)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(319)
    img = torch.randn(8, 1, 4, 4, generator=g)
    lab = torch.randint(0, 3, (8, 4, 4), generator=g)
    return DataLoader(TensorDataset(img, lab), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.argmax",
    "cause_alt": ["torch.nn.functional.one_hot"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "DiceScore",
    "source": "own",
    "notes": "",
}
