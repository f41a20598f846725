# SPDX-License-Identifier: Apache-2.0
"""Self-critical sequence training: sampled and greedy rollouts, rewards are Python floats, only log-probs of the sample train."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Decoder(nn.Module):
    def __init__(self, vocab=7, dim=10):
        super().__init__()
        self.emb, self.cell, self.out = nn.Embedding(vocab, dim), nn.GRUCell(dim, dim), nn.Linear(dim, vocab)

    def roll(self, h, greedy, n=5):
        tok, toks, logps = torch.zeros(len(h), dtype=torch.long), [], []
        for _ in range(n):
            h = self.cell(self.emb(tok), h)
            lp = self.out(h).log_softmax(-1)
            tok = lp.argmax(-1) if greedy else torch.multinomial(lp.exp(), 1).squeeze(1)
            toks.append(tok)
            logps.append(lp.gather(1, tok[:, None]).squeeze(1))
        return torch.stack(toks, 1), torch.stack(logps, 1)


def overlap(seq, ref):
    return [len(set(a) & set(b)) / len(set(b)) for a, b in zip(seq.tolist(), ref.tolist())]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.enc, self.dec = nn.Linear(6, 10), Decoder()

    def training_step(self, batch, batch_idx):
        img, ref = batch
        h = self.enc(img).tanh()
        seq, logp = self.dec.roll(h, greedy=False)
        with torch.no_grad():
            base, _ = self.dec.roll(h, greedy=True)
        adv = torch.tensor(overlap(seq, ref)) - torch.tensor(overlap(base, ref))
        self.log("adv", adv.mean())
        return -(adv[:, None] * logp).mean() - 0.01 * (-logp).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(910)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 7, (24, 5), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Self-critical sequence training: sampled and greedy rollouts, rewards are Python floats, only log-probs of the sample train.', 'all_grads_by_step': 1, 'source': 'held'}
