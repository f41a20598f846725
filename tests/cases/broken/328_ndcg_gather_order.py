# SPDX-License-Identifier: Apache-2.0
"""NDCG: the scores only decide the order in which label gains are gathered."""

import pytorch_lightning as pl
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


def dcg(gains):
    pos = torch.arange(2, gains.size(-1) + 2, dtype=gains.dtype)
    return (gains / pos.log2()).sum(-1)


def ndcg(scores, relevance):
    order = torch.argsort(scores, dim=-1, descending=True)  # <-- CAUSE
    ideal = relevance.sort(dim=-1, descending=True).values
    return (dcg(relevance.gather(-1, order)) / dcg(ideal).clamp_min(1e-6)).mean()


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.query, self.doc = nn.Linear(4, 6), nn.Linear(4, 6)

    def training_step(self, batch, batch_idx):
        q, docs, rel = batch
        scores = torch.einsum("bd,bnd->bn", self.query(q), self.doc(docs))
        return 1 - ndcg(scores, rel)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(328)
    q, docs = torch.randn(12, 4, generator=g), torch.randn(12, 6, 4, generator=g)
    rel = torch.randint(0, 4, (12, 6), generator=g).float()
    return DataLoader(TensorDataset(q, docs, rel), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.argsort",
    "cause_alt": ["Tensor.argsort"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": "RetrievalNormalizedDCG",
    "source": "own",
    "notes": "",
}
