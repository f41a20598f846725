# SPDX-License-Identifier: Apache-2.0
"""CTC on short sequences, with greedy decoding for the log."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 3, padding=1)
        self.out = nn.Linear(8, 5)
        self.ctc = nn.CTCLoss(blank=0, zero_infinity=True)

    def training_step(self, batch, batch_idx):
        x, y = batch
        h = torch.relu(self.conv(x[:, None])).permute(2, 0, 1)
        log_prob = self.out(h).log_softmax(-1)
        target = torch.stack([y + 1, (y + 1) % 4 + 1], 1)
        frames = torch.full((len(x),), x.shape[1], dtype=torch.long)
        frames[0] = x.shape[1] - 2
        best = [torch.unique_consecutive(s).tolist() for s in log_prob.argmax(-1).t()]
        self.log("decoded", float(sum(len(b) for b in best)))
        return self.ctc(log_prob, target, frames, torch.full((len(x),), 2))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(583)
    data = TensorDataset(torch.randn(24, 10, generator=g), torch.randint(0, 4, (24,), generator=g))
    return DataLoader(data, batch_size=8)


EXPECT = {
    "verdict": "healthy",
    "why": "Lengths and targets are integers, decoding is for the log.",
    "all_grads_by_step": 1,
    "source": "own",
}
