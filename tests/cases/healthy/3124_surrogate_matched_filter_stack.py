# SPDX-License-Identifier: Apache-2.0
"""Steganography: message hidden in images, differentiable attacks, bit accuracy by rounding for the log, a critic trained apart."""
import copy
import math
import random
from collections import OrderedDict, defaultdict, deque
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Optional

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, einsum
from torch.utils.checkpoint import checkpoint
from torch.utils.data import DataLoader, Dataset, TensorDataset


class ConvBNRelu(nn.Sequential):
    def __init__(self, i: int, o: int):
        super().__init__(nn.Conv2d(i, o, 3, padding=1), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


class HideNet(nn.Module):
    def __init__(self, bits: int, d: int = 8):
        super().__init__()
        self.features, self.mix = ConvBNRelu(3, d), ConvBNRelu(d + bits + 3, d)
        self.out = nn.Conv2d(d, 3, 1)

    def forward(self, img: Tensor, msg: Tensor) -> Tensor:
        m = msg[..., None, None].expand(-1, -1, *img.shape[-2:])
        return self.out(self.mix(torch.cat([m, self.features(img), img], 1)))


class Quantization(nn.Module):
    """Eight bits per channel, with the gradient passed straight through."""

    def forward(self, x: Tensor) -> Tensor:
        q = ((x * 0.5 + 0.5).clamp(0, 1) * 255).round() / 255 * 2 - 1
        return x + (q - x).detach()


class Crop(nn.Module):
    def forward(self, x: Tensor, keep: float = 0.75) -> Tensor:
        h, w = (int(keep * s) for s in x.shape[-2:])
        i, j = random.randint(0, x.size(-2) - h), random.randint(0, x.size(-1) - w)
        mask = torch.zeros_like(x)
        mask[..., i : i + h, j : j + w] = 1
        return x * mask


class Blur(nn.Module):
    def __init__(self):
        super().__init__()
        k = torch.tensor([1.0, 2.0, 1.0])
        self.register_buffer("kernel", (k[:, None] * k / 16).expand(3, 1, 3, 3).clone())

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.kernel, padding=1, groups=3)


class Noiser(nn.Module):
    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.ModuleList([nn.Identity(), *layers])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[np.random.randint(len(self.layers))](x)


class Model(pl.LightningModule):
    def __init__(self, bits: int = 6, adv: float = 1e-3, enc: float = 0.7):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.encoder, self.noiser = HideNet(bits), Noiser(Quantization(), Crop(), Blur())
        self.decoder = nn.Sequential(ConvBNRelu(3, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, bits))
        self.discriminator = nn.Sequential(ConvBNRelu(3, 8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 1))

    def judge(self, x: Tensor, real: bool) -> Tensor:
        d = self.discriminator(x)
        return F.binary_cross_entropy_with_logits(d, torch.full_like(d, float(real)))

    def training_step(self, batch, batch_idx):
        img, msg = batch
        opt_g, opt_d = self.optimizers()
        stego = self.encoder(img, msg)
        self.toggle_optimizer(opt_d)
        opt_d.zero_grad()
        d_real = self.judge(img, True)
        self.manual_backward(d_real)
        d_fake = self.judge(stego.detach(), False)
        self.manual_backward(d_fake)
        opt_d.step()
        self.untoggle_optimizer(opt_d)
        opt_g.zero_grad()
        decoded = self.decoder(self.noiser(stego))
        g_adv, g_enc, g_dec = self.judge(stego, True), F.mse_loss(stego, img), F.mse_loss(decoded, msg)
        self.manual_backward(self.hparams.adv * g_adv + self.hparams.enc * g_enc + g_dec)
        opt_g.step()
        rounded = decoded.detach().cpu().numpy().round().clip(0, 1)
        bit_error = float(np.abs(rounded - msg.cpu().numpy()).mean())
        self.log_dict({"enc": g_enc, "dec": g_dec, "adv": g_adv, "d": d_real + d_fake, "bit_error": bit_error})

    def configure_optimizers(self):
        g = torch.optim.Adam([*self.encoder.parameters(), *self.decoder.parameters()])
        return g, torch.optim.Adam(self.discriminator.parameters())


def dataloader():
    g = torch.Generator().manual_seed(3124)
    return DataLoader(TensorDataset(torch.randn(12, 3, 8, 8, generator=g).clamp(-1, 1), torch.randint(0, 2, (12, 6), generator=g).float()), batch_size=4)


EXPECT = {'verdict': 'healthy',
 'why': 'Rounding is straight-through or for the log; the discriminator gets '
        'detached images in its own turn.',
 'all_grads_by_step': 1,
 'source': 'held',
 'steps': 6}
