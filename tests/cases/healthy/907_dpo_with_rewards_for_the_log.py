# SPDX-License-Identifier: Apache-2.0
"""DPO as published: frozen reference, detached rewards only for metrics."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class LM(nn.Module):
    def __init__(self, vocab=10, dim=8):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.head = nn.Linear(dim, vocab)

    def logps(self, tok):
        lg = self.head(self.rnn(self.emb(tok[:, :-1]))[0]).log_softmax(-1)
        return lg.gather(-1, tok[:, 1:, None]).squeeze(-1).sum(-1)


class Model(pl.LightningModule):
    def __init__(self, beta=0.1):
        super().__init__()
        self.beta = beta
        self.policy = LM()
        self.ref = copy.deepcopy(self.policy).eval().requires_grad_(False)

    def training_step(self, batch, batch_idx):
        chosen, rejected = batch
        pc, pr = self.policy.logps(torch.cat([chosen, rejected])).chunk(2)
        with torch.inference_mode():
            rc, rr = self.ref.logps(torch.cat([chosen, rejected])).chunk(2)
        rc, rr = rc.clone(), rr.clone()
        loss = -F.logsigmoid(self.beta * ((pc - pr) - (rc - rr))).mean()
        r_c, r_r = self.beta * (pc - rc).detach(), self.beta * (pr - rr).detach()
        self.log("acc", (r_c > r_r).float().mean())
        self.log("margin", (r_c - r_r).mean())
        return loss

    def configure_optimizers(self):
        return torch.optim.AdamW(self.policy.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(907)
    return DataLoader(TensorDataset(torch.randint(0, 10, (12, 7), generator=g), torch.randint(0, 10, (12, 7), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'DPO as published: frozen reference, detached rewards only for metrics.', 'all_grads_by_step': 1, 'source': 'held'}
