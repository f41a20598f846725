# SPDX-License-Identifier: Apache-2.0
"""The loss keeps one value per sample because reduction='none' was set for a weighting that is gone."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 3)
        self.criterion = nn.CrossEntropyLoss(reduction="none")  # <-- ALSO

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = self.criterion(self.net(x), y)  # <-- CAUSE
        return loss  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(684)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randint(0, 3, (24,), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "backward_error",
    "cause": "reduction",
    "cause_alt": ["non_scalar_loss", "torch.nn.functional.cross_entropy", "cross_entropy", "non_scalar"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "error": "grad can be implicitly created only for scalar outputs",
    "source": "own",
    "notes": "",
}
