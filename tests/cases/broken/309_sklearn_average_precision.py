# SPDX-License-Identifier: Apache-2.0
"""Average precision from scikit-learn used as the objective, converted by a decorator."""

import functools

import pytorch_lightning as pl
import torch
from sklearn.metrics import average_precision_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def numpy_metric(fn):
    @functools.wraps(fn)
    def wrapped(*tensors, **kwargs):
        arrays = [t.detach().cpu().numpy() for t in tensors]  # <-- CAUSE
        return torch.tensor(fn(*arrays, **kwargs), dtype=torch.float32)  # <-- ALSO

    return wrapped


@numpy_metric
def average_precision(y_true, y_score):
    return average_precision_score(y_true, y_score)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(8, 4)
        self.dec = nn.Linear(4, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        score = torch.sigmoid(self.dec(torch.relu(self.enc(x)))).squeeze(1)
        return 1 - average_precision(y, score)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(309)
    x = torch.randn(32, 8, generator=g)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).float()), batch_size=16)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.detach",
    "cause_alt": ["Tensor.numpy", "torch.tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "BinaryAveragePrecision",
    "source": "own",
    "notes": "",
}
