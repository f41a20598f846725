# SPDX-License-Identifier: Apache-2.0
"""DPO: the rewards detached for the log are the ones that enter the loss."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class TinyLM(nn.Module):
    def __init__(self, vocab, dim):
        super().__init__()
        self.emb = nn.Embedding(vocab, dim)
        self.rnn = nn.GRU(dim, dim, batch_first=True)
        self.head = nn.Linear(dim, vocab)

    def logps(self, tok):
        logits = self.head(self.rnn(self.emb(tok[:, :-1]))[0])
        return logits.log_softmax(-1).gather(-1, tok[:, 1:, None]).squeeze(-1).sum(-1)


class Model(pl.LightningModule):
    def __init__(self, beta=0.1):
        super().__init__()
        self.beta = beta
        self.policy = TinyLM(10, 8)
        self.ref = copy.deepcopy(self.policy).requires_grad_(False)

    def dpo(self, pc, pr, rc, rr):
        chosen_rewards = self.beta * (pc - rc).detach()  # <-- CAUSE
        rejected_rewards = self.beta * (pr - rr).detach()  # <-- ALSO
        losses = -F.logsigmoid(chosen_rewards - rejected_rewards)
        return losses, chosen_rewards, rejected_rewards

    def training_step(self, batch, batch_idx):
        chosen, rejected = batch
        with torch.no_grad():
            rc, rr = self.ref.logps(chosen), self.ref.logps(rejected)
        losses, cr, rj = self.dpo(self.policy.logps(chosen), self.policy.logps(rejected), rc, rr)
        self.log("margin", (cr - rj).mean())
        self.log("acc", (cr > rj).float().mean())
        return losses.mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.policy.parameters(), lr=1e-4)


def dataloader():
    g = torch.Generator().manual_seed(805)
    return DataLoader(TensorDataset(torch.randint(0, 10, (12, 7), generator=g), torch.randint(0, 10, (12, 7), generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.detach', 'line_marker': '# <-- CAUSE', 'params': ['policy.*'], 'metric_like': None, 'source': 'held', 'notes': '', 'also_marker': '# <-- ALSO', 'symptom': 'no_grad_loss'}
