# SPDX-License-Identifier: Apache-2.0
"""Vision transformer stem written with unfold, permute and einsum, positions added as a buffer."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.patch = nn.Parameter(torch.randn(9, 8) * 0.1)
        self.cls = nn.Parameter(torch.zeros(1, 1, 8))
        self.register_buffer("pos", torch.sin(torch.arange(5)[:, None] * torch.rand(8)))
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(8, 3)

    def training_step(self, batch, batch_idx):
        x, y = batch
        tiles = x.unfold(2, 3, 3).unfold(3, 3, 3).permute(0, 2, 3, 1, 4, 5).contiguous().view(len(x), 4, 9)
        h = torch.einsum("bnp,pd->bnd", tiles, self.patch)
        h = torch.cat([self.cls.expand(len(x), 1, 8), h], 1) + self.pos
        h = self.layer(h).swapaxes(1, 2).contiguous()
        return F.cross_entropy(self.head(h[..., 0]), y)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(571)
    x = torch.randn(12, 1, 6, 6, generator=g)
    y = torch.randint(0, 3, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "healthy",
    "why": "Views, copies and permutations carry gradients.",
    "all_grads_by_step": 1,
    "source": "own",
}
