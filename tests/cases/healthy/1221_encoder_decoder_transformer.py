# SPDX-License-Identifier: Apache-2.0
"""nn.Transformer with causal mask, teacher forcing and a tied output."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(12, 8)
        self.net = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)
        self.norm_scale = nn.Parameter(torch.ones(8))

    def training_step(self, batch, batch_idx):
        x, _ = batch
        mask = nn.Transformer.generate_square_subsequent_mask(6)
        h = self.net(self.emb(x), self.emb(x[:, :-1]), tgt_mask=mask, tgt_is_causal=True)
        logits = (h * self.norm_scale) @ self.emb.weight.T
        return F.cross_entropy(logits.transpose(1, 2), x[:, 1:])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1221)
    return DataLoader(TensorDataset(torch.randint(0, 12, (24, 7), generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'nn.Transformer with causal mask, teacher forcing and a tied output.',
    'all_grads_by_step': 1,
    'source': 'own',
}
