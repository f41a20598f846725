# SPDX-License-Identifier: Apache-2.0
"""Average precision and F1 by scikit-learn on detached numpy copies, logged beside the loss."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from sklearn.metrics import average_precision_score, f1_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x).squeeze(1)
        loss = F.binary_cross_entropy_with_logits(logits, y.float())
        prob = logits.sigmoid().detach().cpu().numpy()
        truth = y.cpu().numpy()
        self.log("ap", float(average_precision_score(truth, prob)))
        self.log("f1", f1_score(truth, (prob > 0.5).astype(int), zero_division=0))
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(525)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 2, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "numpy sees a detached copy and returns numbers for the log.",
    "all_grads_by_step": 1,
    "source": "own",
}
