# SPDX-License-Identifier: Apache-2.0
"""Accuracy, entropy and a smoothed loss are kept as numbers and shown; only the cross entropy is returned."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
        self.smoothed, self.history = 0.0, []

    def training_step(self, batch, batch_idx):
        x, y = batch
        logits = self.net(x)
        loss = F.cross_entropy(logits, y)
        acc = (logits.argmax(1) == y).float().mean()
        entropy = torch.distributions.Categorical(logits=logits).entropy().mean()
        self.smoothed += 0.1 * (loss.item() - self.smoothed)
        self.history.append((acc.item(), float(entropy), self.smoothed))
        best = max(h[0] for h in self.history)
        self.log_dict({"acc": acc, "entropy": entropy, "best": best, "smoothed": self.smoothed})
        self.log("score", acc - 0.1 * entropy + best)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(2116)
    return DataLoader(TensorDataset(torch.randn(48, 6, generator=g), torch.randint(0, 4, (48,), generator=g)), batch_size=8)


EXPECT = {'verdict': 'healthy', 'why': 'Accuracy, entropy and a smoothed loss are kept as numbers and shown; only the cross entropy is returned.', 'all_grads_by_step': 1, 'source': 'own'}
