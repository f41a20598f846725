# SPDX-License-Identifier: Apache-2.0
"""Multi-label Hamming distance: rounding keeps a graph, the comparison ends it."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class HammingLoss(nn.modules.loss._Loss):
    def forward(self, logits, labels):
        decision = logits.sigmoid().round()  # <-- ALSO
        wrong = torch.ne(decision, labels)  # <-- CAUSE
        return wrong.double().mean().float()


class Model(pl.LightningModule):
    def __init__(self, n_labels: int = 4):
        super().__init__()
        self.tagger = nn.Linear(5, n_labels)
        self.loss_fn = HammingLoss()

    def training_step(self, batch, _):
        return {"loss": self.loss_fn(self.tagger(batch[0]), batch[1])}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(303)
    x = torch.randn(20, 5, generator=g)
    return DataLoader(TensorDataset(x, (x[:, :4] > 0.3).float()), batch_size=5)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.ne",
    "cause_alt": ["torch.round", "Tensor.round"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "MultilabelHammingDistance",
    "source": "own",
    "notes": "",
}
