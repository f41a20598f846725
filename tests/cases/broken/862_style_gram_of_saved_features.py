# SPDX-License-Identifier: Apache-2.0
"""Style transfer net: features of the stylised image are stored by a hook as data for the Gram loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

class Features(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3)
        self.saved = {}
        for name in ("c1", "c2"):
            getattr(self, name).register_forward_hook(self.keep(name))
        self.requires_grad_(False)

    def keep(self, name):
        def hook(module, args, out):
            self.saved[name] = out.data  # <-- CAUSE
        return hook

    def forward(self, x):
        self.c2(self.c1(x).relu())
        return dict(self.saved)


def gram(f):
    f = f.flatten(2)
    return f @ f.transpose(1, 2) / f.size(2)


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(3, 3, 3, padding=1)
        self.vgg = Features()
        self.register_buffer("style", torch.rand(1, 3, 8, 8))

    def training_step(self, batch, batch_idx):
        (img,) = batch
        out = self.net(img)
        f_out, f_style = self.vgg(out), self.vgg(self.style)
        style = sum(F.mse_loss(gram(f_out[k]), gram(f_style[k]).expand(len(img), -1, -1)) for k in f_out)
        content = F.l1_loss(out, img)
        self.log("style", style)
        self.log("content", content)
        return content + 10 * style

    def configure_optimizers(self):
        return torch.optim.Adam(self.net.parameters())


def dataloader():
    g = torch.Generator().manual_seed(862)
    return DataLoader(TensorDataset(torch.rand(12, 3, 8, 8, generator=g)), batch_size=4)


EXPECT = {'verdict': 'broken', 'cause': 'Tensor.data', 'line_marker': '# <-- CAUSE', 'params': 'all', 'metric_like': None, 'source': 'held', 'notes': '', 'symptom': 'dead_term', 'term': 'style', 'quiet': ['vgg.*']}
