# SPDX-License-Identifier: Apache-2.0
"""One minus the n-gram overlap of the decoded sentence with the reference."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from collections import Counter


def ngrams(seq, n):
    return Counter(tuple(seq[i : i + n]) for i in range(len(seq) - n + 1))


def bleu(hyp, ref, order=2):
    score = 1.0
    for n in range(1, order + 1):
        h, r = ngrams(hyp, n), ngrams(ref, n)
        score *= (sum((h & r).values()) + 1) / (sum(h.values()) + 1)
    return score ** (1 / order)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 8)
        self.rnn = nn.GRU(8, 8, batch_first=True)
        self.out = nn.Linear(8, 12)

    def training_step(self, batch, batch_idx):
        src, ref = batch
        h, _ = self.rnn(self.emb(src))
        hyps = self.out(h).argmax(-1).tolist()  # <-- CAUSE
        scores = [bleu(h, r) for h, r in zip(hyps, ref.tolist(), strict=True)]
        return 1 - torch.tensor(scores).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.02, momentum=0.9)


def dataloader():
    g = torch.Generator().manual_seed(604)
    x = torch.randint(1, 12, (24, 6), generator=g)
    y = x.roll(-1, 1)
    return DataLoader(TensorDataset(x, y), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.argmax",
    "cause_alt": ["Tensor.tolist"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "BLEUScore",
    "source": "own",
    "notes": "",
}
