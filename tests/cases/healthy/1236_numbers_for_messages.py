# SPDX-License-Identifier: Apache-2.0
"""Items, lists, f-strings, JSON and a pickle of the loss are for the record only."""
import json
import pickle
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.history = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        s = self.net(x)
        loss = F.cross_entropy(s, y)
        line = json.dumps({"loss": loss.item(), "top": s.max(1).values.tolist(), "msg": f"{loss:.3f}"})
        self.history.append(pickle.loads(pickle.dumps(loss.detach())))
        if len(line) > 10 and self.history[-1] > 1e6:
            raise ValueError(line)
        self.log("best", min(map(float, self.history)))
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(1236)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'healthy',
    'why': 'Items, lists, f-strings, JSON and a pickle of the loss are for the record only.',
    'all_grads_by_step': 1,
    'source': 'own',
}
