# SPDX-License-Identifier: Apache-2.0
"""AUROC by comparing every positive with every negative score."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class PairwiseAUC(nn.Module):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.reduction = reduction

    def forward(self, score, label):
        pos = score[label == 1]
        neg = score[label == 0]
        if min(len(pos), len(neg)) == 0:
            return score.sum() * 0.0
        wins = pos[:, None] > neg[None, :]  # <-- CAUSE
        ties = pos[:, None] == neg[None, :]
        auc = wins.float() + 0.5 * ties.float()
        return 1 - getattr(auc, self.reduction)()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.scorer = nn.Linear(6, 1)
        self.auc = PairwiseAUC()

    def training_step(self, batch, batch_idx):
        x, y = batch
        return self.auc(self.scorer(x).flatten(), y)

    def configure_optimizers(self):
        return torch.optim.Adagrad(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(308)
    x = torch.randn(40, 6, generator=g)
    return DataLoader(TensorDataset(x, (x[:, 0] > 0).float()), batch_size=10)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.gt",
    "cause_alt": ["Tensor.gt", "Tensor.__gt__"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "BinaryAUROC",
    "source": "own",
    "notes": "",
}
