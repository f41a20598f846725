# SPDX-License-Identifier: Apache-2.0
"""A gradient penalty differentiates fused attention twice."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(6, 18), nn.Linear(6, 1)

    def forward(self, x):
        q, k, v = self.qkv(x).unsqueeze(1).chunk(3, -1)
        h = F.scaled_dot_product_attention(q, k, v)  # <-- CAUSE
        return self.out(h.squeeze(1).mean(1))


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.critic = Critic()

    def training_step(self, batch, batch_idx):
        x, y = batch
        x = x.clone().requires_grad_()
        score = self.critic(x)
        slope = torch.autograd.grad(score.sum(), x, create_graph=True)[0]  # <-- ALSO
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return F.mse_loss(score.squeeze(1), y.float()) + 10 * penalty

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2041)
    return DataLoader(TensorDataset(torch.randn(48, 5, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'broken', 'symptom': 'backward_error', 'cause': 'scaled_dot_product_attention', 'line_marker': '# <-- CAUSE', 'params': ['critic.qkv.*'], 'metric_like': None, 'source': 'own', 'notes': 'A gradient penalty differentiates fused attention twice.', 'also_marker': '# <-- ALSO', 'error': 'is not implemented'}
