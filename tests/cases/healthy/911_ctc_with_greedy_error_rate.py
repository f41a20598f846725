# SPDX-License-Identifier: Apache-2.0
"""CTC training where the greedy decoding and its edit distance go into the log."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row, old = [i] + row[1:], row
        for j, y in enumerate(b, 1):
            row[j] = min(old[j] + 1, row[j - 1] + 1, old[j - 1] + (x != y))
    return row[-1]


class Model(pl.LightningModule):
    def __init__(self, vocab=6):
        super().__init__()
        self.rnn = nn.LSTM(8, 10, bidirectional=True, batch_first=True)
        self.out = nn.Linear(20, vocab)

    def training_step(self, batch, batch_idx):
        spec, text = batch
        logp = self.out(self.rnn(spec)[0]).log_softmax(-1)
        n = torch.full((len(spec),), spec.size(1))
        loss = F.ctc_loss(logp.transpose(0, 1), text, n, torch.full_like(n, text.size(1)))
        best = logp.argmax(-1)
        wer = 0.0
        for b, t in zip(best, text):
            hyp = [k for k in torch.unique_consecutive(b).tolist() if k]
            wer += distance(hyp, t.tolist()) / len(t)
        self.log("wer", wer / len(text))
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(911)
    return DataLoader(TensorDataset(torch.randn(12, 14, 8, generator=g), torch.randint(1, 6, (12, 4), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'CTC training where the greedy decoding and its edit distance go into the log.', 'all_grads_by_step': 1, 'source': 'held'}
