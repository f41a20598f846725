# SPDX-License-Identifier: Apache-2.0
"""The tour of a pointer network is chosen by argmax and its length is the loss."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Pointer(nn.Module):
    def __init__(self, d=6):
        super().__init__()
        self.enc = nn.Linear(2, d)
        self.query = nn.Parameter(torch.randn(d))

    def forward(self, xy):
        ref = self.enc(xy)
        visited = torch.zeros(xy.shape[:2], dtype=torch.bool)
        tour = []
        for _ in range(xy.shape[1]):
            u = torch.tanh(ref) @ self.query
            nxt = torch.argmax(u.masked_fill(visited, -1e9), dim=1)  # <-- CAUSE
            visited = visited.scatter(1, nxt[:, None], True)
            tour.append(nxt)
        return torch.stack(tour, 1)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.pointer = Pointer()

    def training_step(self, batch, batch_idx):
        (xy,) = batch
        tour = self.pointer(xy)
        path = xy.gather(1, tour[..., None].expand(-1, -1, 2))
        return (path - path.roll(1, 1)).norm(dim=-1).sum(1).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(615)
    x = torch.randn(12, 5, 2, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "no_grad_loss",
    "cause": "torch.argmax",
    "cause_alt": ["Tensor.argmax"],
    "line_marker": "# <-- CAUSE",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
