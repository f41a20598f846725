# SPDX-License-Identifier: Apache-2.0
"""Mean reciprocal rank of the true entity, with the rank counted by comparison."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class KnowledgeModel(nn.Module):
    def __init__(self, entities, relations, dim=6):
        super().__init__()
        self.ent = nn.Embedding(entities, dim)
        self.rel = nn.Embedding(relations, dim)

    def forward(self, head, rel):
        return (self.ent(head) + self.rel(rel)) @ self.ent.weight.t()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.kg = KnowledgeModel(10, 3)

    def reciprocal_rank(self, scores, tail):
        gold = scores.gather(1, tail.view(-1, 1))
        rank = 1 + torch.sum(scores > gold, dim=1)  # <-- CAUSE
        return rank.reciprocal()

    def training_step(self, batch, batch_idx):
        head, rel, tail = batch[0].unbind(1)
        rr = self.reciprocal_rank(self.kg(head, rel), tail)
        return -rr.mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.1)


def dataloader():
    g = torch.Generator().manual_seed(329)
    cols = [torch.randint(0, n, (24,), generator=g) for n in (10, 3, 10)]
    return DataLoader(TensorDataset(torch.stack(cols, 1)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.gt",
    "cause_alt": ["Tensor.gt", "Tensor.__gt__"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "RetrievalMRR",
    "source": "own",
    "notes": "",
}
