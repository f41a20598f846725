# SPDX-License-Identifier: Apache-2.0
"""Under autocast, predicted durations are cast to integers for repeat_interleave; nothing else trains them."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 6)
        self.duration = nn.Linear(6, 1)
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        with torch.autocast("cpu", dtype=torch.bfloat16):
            e = self.emb(x)
            n = (self.duration(e).squeeze(-1).exp().clamp(1, 3)).long()  # <-- CAUSE
            long = [v.repeat_interleave(k, 0).mean(0) for v, k in zip(e, n)]
            logits = self.out(torch.stack(long))
        return F.cross_entropy(logits.float(), y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1141)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'missing',
    'cause': 'Tensor.long',
    'line_marker': '# <-- CAUSE',
    'params': ['duration.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Under autocast, predicted durations are cast to integers for repeat_interleave; nothing else trains them.',
}
