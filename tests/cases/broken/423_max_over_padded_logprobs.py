# SPDX-License-Identifier: Apache-2.0
"""Log-probabilities are zero-padded and max-pooled over time: the padding always wins."""

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class WordSpotter(nn.Module):
    def __init__(self, n_mels, n_words, max_len):
        super().__init__()
        self.conv = nn.Conv1d(n_mels, 12, 3, padding=1)
        self.out = nn.Conv1d(12, n_words, 1)
        self.max_len = max_len

    def forward(self, mel):
        logp = self.out(F.relu(self.conv(mel))).log_softmax(dim=1)
        padded = F.pad(logp, (0, self.max_len - logp.size(-1)))  # <-- ALSO
        return F.adaptive_max_pool1d(padded, 1).squeeze(-1)  # <-- CAUSE


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.spotter = WordSpotter(4, 5, max_len=10)

    def training_step(self, batch, batch_idx):
        mel, y = batch
        return F.nll_loss(self.spotter(mel.transpose(1, 2)), y)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


def dataloader():
    g = torch.Generator().manual_seed(423)
    x = torch.randn(12, 6, 4, generator=g)
    y = torch.randint(0, 5, (12,), generator=g)
    return DataLoader(TensorDataset(x, y), batch_size=4)


EXPECT = {
    "verdict": "broken",
    "symptom": "zero",
    "cause": "adaptive_max_pool1d",
    "cause_alt": ["pad", "F.pad"],
    "line_marker": "# <-- CAUSE",
    "also_marker": "# <-- ALSO",
    "params": "all",
    "metric_like": None,
    "source": "own",
    "notes": "",
}
