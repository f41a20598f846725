# SPDX-License-Identifier: Apache-2.0
"""([optimizer], [scheduler]) over the network only; the learned task weights are left out."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 1)
        self.log_var = nn.ParameterList([torch.zeros(()) for _ in range(2)])

    def training_step(self, batch, batch_idx):
        x, y = batch
        p = self.net(x)
        losses = [F.mse_loss(p, y), F.l1_loss(p, y)]
        return sum(torch.exp(-s) * l + s for s, l in zip(self.log_var, losses))

    def configure_optimizers(self):
        opt = torch.optim.AdamW(  # <-- CAUSE
            [{"params": self.net.parameters(), "weight_decay": 0.01}],  # <-- ALSO
            lr=1e-3, foreach=True,
        )
        return [opt], [{"scheduler": torch.optim.lr_scheduler.StepLR(opt, 1), "interval": "step"}]


def dataloader():
    g = torch.Generator().manual_seed(1111)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randn(24, 1, generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'not_optimized',
    'cause': 'optimizer_params',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['log_var.*'],
    'metric_like': None,
    'source': 'own',
    'notes': '([optimizer], [scheduler]) over the network only; the learned task weights are left out.',
}
