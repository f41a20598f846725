# SPDX-License-Identifier: Apache-2.0
"""backward, clipping, zero_grad and the scheduler step are overridden and do their work."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.mse_loss(self.net(x), y)

    def backward(self, loss, *args, **kwargs):
        loss.backward(*args, **kwargs)

    def configure_gradient_clipping(self, optimizer, gradient_clip_val=None, gradient_clip_algorithm=None):
        for p in self.parameters():
            p.grad = torch.nan_to_num(p.grad) / (1 + p.grad.norm())

    def optimizer_zero_grad(self, epoch, batch_idx, optimizer):
        optimizer.zero_grad(set_to_none=False)

    def lr_scheduler_step(self, scheduler, metric):
        scheduler.step()

    def configure_optimizers(self):
        opt = torch.optim.SGD(self.parameters(), lr=0.1)
        sch = torch.optim.lr_scheduler.LambdaLR(opt, lambda s: 0.9**s)
        return {"optimizer": opt, "lr_scheduler": {"scheduler": sch, "interval": "step"}}


def dataloader():
    g = torch.Generator().manual_seed(1213)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'backward, clipping, zero_grad and the scheduler step are overridden and do their work.',
    'all_grads_by_step': 1,
    'source': 'own',
}
