# SPDX-License-Identifier: Apache-2.0
"""BaseFinetuning keeps the backbone frozen for the whole run."""
from pytorch_lightning.callbacks import BaseFinetuning
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Hold(BaseFinetuning):
    def freeze_before_training(self, pl_module):
        self.freeze(pl_module.backbone)

    def finetune_function(self, pl_module, epoch, optimizer):
        if epoch == 10:
            self.unfreeze_and_add_param_group(pl_module.backbone, optimizer)


def callbacks():
    return [Hold()]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.backbone, self.head = nn.Linear(6, 8), nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.head(self.backbone(x).relu()), y)

    def configure_optimizers(self):
        return torch.optim.Adam(filter(lambda p: p.requires_grad, self.parameters()), lr=1e-2)


def dataloader():
    g = torch.Generator().manual_seed(1270)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'BaseFinetuning keeps the backbone frozen for the whole run.',
    'all_grads_by_step': 1,
    'source': 'own',
}
