# SPDX-License-Identifier: Apache-2.0
"""torch.tensor, new_tensor and as_tensor of lengths, shapes, counts and targets."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 6)
        self.out = nn.Linear(6, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = self.emb(x)
        n = torch.tensor([row.ne(0).sum().item() + 1 for row in x])
        scale = h.new_tensor(h.shape[-1]).rsqrt()
        counts = torch.bincount(y, minlength=4).clamp(min=1)
        weight = torch.as_tensor((len(y) / counts).tolist())
        soft = torch.from_numpy(np.eye(4, dtype=np.float32)[y.numpy()] * 0.9 + 0.025)
        logits = self.out(h.sum(1) * scale / n[:, None])
        return -(weight[y] * (soft * logits.log_softmax(-1)).sum(-1)).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1245)
    x = torch.arange(168).reshape(24, 7) % 12
    return DataLoader(TensorDataset(x, torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'torch.tensor, new_tensor and as_tensor of lengths, shapes, counts and targets.',
    'all_grads_by_step': 1,
    'source': 'own',
}
