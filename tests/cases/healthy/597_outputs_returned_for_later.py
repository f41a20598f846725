# SPDX-License-Identifier: Apache-2.0
"""The step returns live predictions beside the loss and keeps detached ones for an epoch summary."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
        self.kept = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        logit = self.net(x).squeeze(1)
        loss = F.soft_margin_loss(logit, torch.where(y > 0, 1.0, -1.0))
        hard = (torch.sigmoid(logit) > 0.5).int()
        self.kept.append({"hard": hard, "logit": logit.detach().cpu(), "loss": loss.item()})
        return {"loss": loss, "hard": hard, "logit": logit, "name": "train"}

    def on_train_epoch_end(self):
        hard = torch.cat([k["hard"] for k in self.kept]).float()
        self.log("share", hard.mean())
        self.kept.clear()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(597)
    data = TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Integer outputs are for the summary; the loss comes from the logits.",
    "steps": 4, "all_grads_by_step": 1,
    "source": "own",
}
