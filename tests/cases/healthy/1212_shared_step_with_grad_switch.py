# SPDX-License-Identifier: Apache-2.0
"""One _step for both stages turns grad on for training and off else."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)

    def _step(self, batch, stage):
        x, y = batch
        with torch.set_grad_enabled(stage == "train"):
            logits = self.net(x)
            loss = F.cross_entropy(logits, y)
        with torch.inference_mode():
            self.log(f"{stage}/acc", (logits.argmax(1) == y).float().mean())
        return loss

    def training_step(self, batch, batch_idx):
        return self._step(batch, "train")

    def validation_step(self, batch, batch_idx):
        self._step(batch, "val")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def val_dataloader():
    return dataloader()


def dataloader():
    g = torch.Generator().manual_seed(1212)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'One _step for both stages turns grad on for training and off else.',
    'all_grads_by_step': 1,
    'source': 'own',
}
