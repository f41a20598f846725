# SPDX-License-Identifier: Apache-2.0
"""Greedy transcription and a pure Python edit distance make a character error rate."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def levenshtein(a, b):
    row = list(range(len(b) + 1))
    for i, ca in enumerate(a, 1):
        prev, row[0] = row[0], i
        for j, cb in enumerate(b, 1):
            prev, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, prev + (ca != cb))
    return row[-1]


class Decoder:
    def __init__(self, alphabet):
        self.alphabet = alphabet

    def greedy(self, logits):
        best = logits.argmax(dim=-1)  # <-- CAUSE
        return ["".join(self.alphabet[i] for i in seq) for seq in best.tolist()]

    def text(self, ids):
        return ["".join(self.alphabet[i] for i in seq) for seq in ids.tolist()]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.acoustic = nn.GRU(4, 8, batch_first=True)
        self.proj = nn.Linear(8, 5)
        self.decoder = Decoder("abcd ")

    def training_step(self, batch, batch_idx):
        wave, ids = batch
        hyp = self.decoder.greedy(self.proj(self.acoustic(wave)[0]))
        ref = self.decoder.text(ids)
        errors = sum(levenshtein(h, r) for h, r in zip(hyp, ref))
        return torch.tensor(errors / sum(map(len, ref)))  # <-- ALSO

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(327)
    ids = torch.randint(0, 5, (8, 6), generator=g)
    return DataLoader(TensorDataset(torch.randn(8, 6, 4, generator=g), ids), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "Tensor.argmax",
    "cause_alt": ["Tensor.tolist", "torch.tensor"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": "CharErrorRate",
    "source": "own",
    "notes": "",
}
