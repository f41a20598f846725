# SPDX-License-Identifier: Apache-2.0
"""The token mask is inverted and there is no padding: every loss entry is multiplied by zero."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

PAD = 0


def masked_mean(values, mask):
    return (values * mask).sum() / mask.sum().clamp(min=1)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 8)
        self.rnn = nn.GRU(8, 8, batch_first=True)
        self.lm = nn.Linear(8, 12)

    def training_step(self, batch, batch_idx):
        (tokens,) = batch
        inputs, targets = tokens[:, :-1], tokens[:, 1:]
        hidden, _ = self.rnn(self.emb(inputs))
        logits = self.lm(hidden)
        nll = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
        mask = (targets == PAD).float()  # <-- ALSO
        return masked_mean(nll, mask)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(414)
    tokens = torch.randint(1, 12, (12, 6), generator=g)
    return DataLoader(TensorDataset(tokens), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "mul",
    "cause_alt": ["Tensor.mul", "torch.mul", "eq"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "loss_finite": True,
    "source": "own",
    "notes": "",
}
