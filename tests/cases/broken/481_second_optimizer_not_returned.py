# SPDX-License-Identifier: Apache-2.0
"""Two optimizers are built for encoder and decoder; configure_optimizers returns one of them."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.encoder = nn.Linear(6, 3)
        self.decoder = nn.Linear(3, 6)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        loss = F.mse_loss(self.decoder(torch.tanh(self.encoder(x))), x)
        optimizers = self.optimizers()
        optimizers = optimizers if isinstance(optimizers, list) else [optimizers]
        for opt in optimizers:
            opt.zero_grad()
        self.manual_backward(loss)
        for opt in optimizers:
            opt.step()

    def configure_optimizers(self):
        enc = torch.optim.Adam(self.encoder.parameters(), lr=1e-3)
        dec = torch.optim.Adam(self.decoder.parameters(), lr=1e-4)  # <-- ALSO
        scheduler = torch.optim.lr_scheduler.ExponentialLR(enc, 0.99)
        return [enc], [scheduler]  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(481)
    x = torch.randn(12, 6, generator=g)
    return DataLoader(TensorDataset(x), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "not_optimized",
    "cause": "optimizer_params",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["decoder.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
