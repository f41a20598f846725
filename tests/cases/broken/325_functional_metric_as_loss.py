# SPDX-License-Identifier: Apache-2.0
"""A functional metric picked from a table by name ends up as the objective."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.functional.classification import binary_jaccard_index, binary_specificity


OBJECTIVES = {
    "jaccard": lambda p, t: 1 - binary_jaccard_index(p, t),  # <-- CAUSE
    "specificity": lambda p, t: 1 - binary_specificity(p, t),
}


class Model(pl.LightningModule):
    def __init__(self, objective="jaccard"):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 3, padding=1)
        self.objective = OBJECTIVES[objective]

    def training_step(self, batch, batch_idx):
        img, mask = batch
        return self.objective(self.conv(img).sigmoid(), mask.long())  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(325)
    x = torch.randn(8, 2, 5, 5, generator=g)
    return DataLoader(TensorDataset(x, (x[:, :1] > 0).float()), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "binary_jaccard_index",
    "cause_alt": ["torch.gt", "Tensor.gt"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "BinaryJaccardIndex",
    "source": "own",
    "notes": "",
}
