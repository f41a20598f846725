# SPDX-License-Identifier: Apache-2.0
"""Groups are made with a match on the type of the layer; LayerNorm falls through."""
import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 8)
        self.norm = nn.LayerNorm(8)
        self.out = nn.Linear(8, 4)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self.out(self.norm(self.fc(x)).relu()), y)

    def configure_optimizers(self):
        groups = []
        for layer in self.children():
            match layer:
                case nn.Linear():
                    groups.append({"params": layer.parameters()})  # <-- ALSO
                case _:
                    pass
        return {"optimizer": torch.optim.AdamW(groups, lr=1e-3)}  # <-- CAUSE


def dataloader():
    g = torch.Generator().manual_seed(1112)
    return DataLoader(TensorDataset(torch.randn(24, 6, generator=g), torch.randint(0, 4, (24,), generator=g)), batch_size=8)


EXPECT = {
    'verdict': 'broken',
    'symptom': 'not_optimized',
    'cause': 'optimizer_params',
    'line_marker': '# <-- CAUSE',
    'also_marker': '# <-- ALSO',
    'params': ['norm.*'],
    'metric_like': None,
    'source': 'own',
    'notes': 'Groups are made with a match on the type of the layer; LayerNorm falls through.',
}
