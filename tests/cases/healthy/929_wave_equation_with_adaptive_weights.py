# SPDX-License-Identifier: Apache-2.0
"""Physics-informed tanh network with second derivatives; loss weights come from detached gradient norms."""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.u = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
        self.log_c = nn.Parameter(torch.zeros(()))
        self.register_buffer("lam", torch.ones(()))

    def residual(self, xt):
        xt = xt.clone().requires_grad_(True)
        g = torch.autograd.grad(self.u(xt).sum(), xt, create_graph=True)[0]
        uxx = torch.autograd.grad(g[:, 0].sum(), xt, create_graph=True)[0][:, 0]
        utt = torch.autograd.grad(g[:, 1].sum(), xt, create_graph=True)[0][:, 1]
        return utt - self.log_c.exp() ** 2 * uxx

    def training_step(self, batch, batch_idx):
        (xt,) = batch
        pde = self.residual(xt).pow(2).mean()
        edge = torch.cat([xt[:, :1], torch.zeros(len(xt), 1)], 1)
        bc = (self.u(edge) - torch.sin(math.pi * xt[:, :1])).pow(2).mean()
        last = self.u[-1].weight
        gp = torch.autograd.grad(pde, last, retain_graph=True)[0]
        gb = torch.autograd.grad(bc, last, retain_graph=True)[0]
        self.lam = 0.9 * self.lam + 0.1 * gp.abs().max() / (gb.abs().mean() + 1e-8)
        return pde + self.lam * bc

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def dataloader():
    g = torch.Generator().manual_seed(929)
    return DataLoader(TensorDataset(torch.rand(48, 2, generator=g)), batch_size=16)


EXPECT = {'verdict': 'healthy', 'why': 'Physics-informed tanh network with second derivatives; loss weights come from detached gradient norms.', 'all_grads_by_step': 1, 'source': 'held'}
