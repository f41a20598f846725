# SPDX-License-Identifier: Apache-2.0
"""Unsupervised translation: each direction generates its inputs with the other model under no_grad and eval mode."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Translator(nn.Module):
    def __init__(self, i, o, dim=8):
        super().__init__()
        self.emb, self.rnn, self.out = nn.Embedding(i, dim), nn.GRU(dim, dim, batch_first=True), nn.Linear(dim, o)
        self.drop = nn.Dropout(0.1)

    def forward(self, tok):
        return self.out(self.drop(self.rnn(self.emb(tok))[0]))

    def translate(self, tok):
        was = self.training
        self.eval()
        with torch.no_grad():
            hyp = self(tok).argmax(-1)
        self.train(was)
        return hyp


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.ab, self.ba = Translator(9, 11), Translator(11, 9)

    def training_step(self, batch, batch_idx):
        a, b = batch
        loss_ab = F.cross_entropy(self.ab(self.ba.translate(b)).transpose(1, 2), b)
        loss_ba = F.cross_entropy(self.ba(self.ab.translate(a)).transpose(1, 2), a)
        self.log_dict({"ab": loss_ab, "ba": loss_ba})
        return loss_ab + loss_ba

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(949)
    return DataLoader(TensorDataset(torch.randint(0, 9, (18, 5), generator=g), torch.randint(0, 11, (18, 5), generator=g)), batch_size=6)


EXPECT = {'verdict': 'healthy', 'why': 'Unsupervised translation: each direction generates its inputs with the other model under no_grad and eval mode.', 'all_grads_by_step': 1, 'source': 'held'}
