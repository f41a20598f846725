# SPDX-License-Identifier: Apache-2.0
"""The whole nested state is mapped through detach before the head sees it."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils import _pytree as pytree


def freeze_state(tree):
    return pytree.tree_map(lambda leaf: leaf.detach() if torch.is_tensor(leaf) else leaf, tree)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.cells = nn.ModuleDict({"fast": nn.GRUCell(3, 4), "slow": nn.GRUCell(3, 4)})
        self.out = nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        x, y = batch
        state = {"fast": x.new_zeros(len(x), 4), "slow": x.new_zeros(len(x), 4), "t": 0}
        for t, step in enumerate(x.unbind(1)):
            state["fast"] = self.cells["fast"](step, state["fast"])
            if t % 2 == 0:
                state["slow"] = self.cells["slow"](step, state["slow"])
            state["t"] = t
        state = freeze_state(state)  # <-- ALSO
        return F.mse_loss(self.out(torch.cat([state["fast"], state["slow"]], 1))[:, 0], y)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.05)


def dataloader():
    g = torch.Generator().manual_seed(636)
    x = torch.randn(24, 4, 3, generator=g)
    return DataLoader(TensorDataset(x, torch.randn(24, generator=g)), batch_size=8)


EXPECT = {
    "verdict": "broken",
    "symptom": "missing",
    "cause": "Tensor.detach",
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": ["cells.*"],
    "metric_like": None,
    "source": "own",
    "notes": "",
}
