# SPDX-License-Identifier: Apache-2.0
"""torch.Tensor(t), as_tensor and asarray of one tensor are the tensor."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.as_tensor(self.a(x), dtype=torch.float64)
        h = torch.asarray(h.sigmoid()).to(torch.float32)
        out = torch.Tensor(self.b(h)).cpu().contiguous()[:, 0]
        return torch.stack([F.mse_loss(out, y), F.l1_loss(out, y)]).mean()

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def dataloader():
    g = torch.Generator().manual_seed(717)
    x = torch.randn(24, 5, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "None of them copies; the graph is kept.",
    "all_grads_by_step": 1,
    "source": "own",
}
