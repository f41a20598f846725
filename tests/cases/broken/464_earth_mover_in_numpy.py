# SPDX-License-Identifier: Apache-2.0
"""Earth mover's distance between histograms computed in numpy and added to the loss."""

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def emd(p, q):
    a, b = p.detach().cpu().numpy(), q.numpy()  # <-- CAUSE
    return np.abs(np.cumsum(a - b, axis=-1)).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.rater = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 5))

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.rater(x)
        target = F.one_hot(y, 5).float()
        emd_term = torch.as_tensor(emd(logits.softmax(-1), target))  # <-- ALSO
        self.log("emd", emd_term)
        return F.cross_entropy(logits, y) + emd_term

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(464)
    x = torch.randn(12, 6, generator=g)
    y = torch.randint(0, 5, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "dead_term",
    "cause": "Tensor.detach",
    "cause_alt": ["Tensor.numpy", "torch.as_tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "term": "emd",
    "source": "own",
    "notes": "",
}
