# SPDX-License-Identifier: Apache-2.0
"""Input gradients are penalised outside an annotated mask; a Grad-CAM map is computed with detached weights."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(6, 2)

    def training_step(self, batch, batch_idx):
        img, mask, y = batch
        img = img.requires_grad_(True)
        f = F.softplus(self.conv(img))
        logits = self.fc(f.mean((2, 3)))
        ce = F.cross_entropy(logits, y)
        g = torch.autograd.grad(logits.log_softmax(1).sum(), img, create_graph=True)[0]
        w = torch.autograd.grad(logits.gather(1, y[:, None]).sum(), f, retain_graph=True)[0].mean((2, 3), keepdim=True)
        cam = (w.detach() * f).sum(1).relu()
        self.log("cam_inside", (cam * mask).sum().item() / (cam.sum().item() + 1e-6))
        return ce + 10 * (g.squeeze(1) * (1 - mask)).pow(2).sum((1, 2)).mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(963)
    return DataLoader(TensorDataset(torch.randn(12, 1, 6, 6, generator=g), torch.rand(12, 6, 6, generator=g).round(), torch.randint(0, 2, (12,), generator=g)), batch_size=4)


EXPECT = {'verdict': 'healthy', 'why': 'Input gradients are penalised outside an annotated mask; a Grad-CAM map is computed with detached weights.', 'all_grads_by_step': 1, 'source': 'held'}
