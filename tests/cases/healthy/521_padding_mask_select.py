# SPDX-License-Identifier: Apache-2.0
"""Sequence tagging where padded positions are removed by a boolean mask before the loss."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 6, padding_idx=0)
        self.rnn = nn.GRU(6, 8, batch_first=True)
        self.tag = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        (tok,) = batch
        lengths = torch.arange(2, 2 + len(tok)).clamp(max=tok.shape[1])
        keep = torch.arange(tok.shape[1])[None] < lengths[:, None]
        tok = tok.masked_fill(~keep, 0)
        packed = nn.utils.rnn.pack_padded_sequence(self.emb(tok), lengths, batch_first=True, enforce_sorted=False)
        out, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        keep = keep[:, : out.shape[1]]
        logits = torch.masked_select(self.tag(out), keep[..., None]).view(-1, 4)
        return F.cross_entropy(logits, (tok[:, : out.shape[1]] % 4)[keep])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(521)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 6), generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "masked_select and boolean indexing hand the gradient back to the entries kept.",
    "all_grads_by_step": 1,
    "source": "own",
}
