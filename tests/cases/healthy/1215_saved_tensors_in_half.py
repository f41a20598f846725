# SPDX-License-Identifier: Apache-2.0
"""Saved activations are stored on the CPU in bfloat16 and come back as they were, nearly."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        pack = lambda t: (t.dtype, t.detach().to("cpu", torch.bfloat16))
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda s: s[1].to(s[0])):
            p = self.net(x)
        with torch.autograd.graph.save_on_cpu():
            return F.mse_loss(p, y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1215)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Saved activations are stored on the CPU in bfloat16 and come back as they were, nearly.',
    'all_grads_by_step': 1,
    'source': 'own',
}
