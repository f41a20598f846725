# SPDX-License-Identifier: Apache-2.0
"""Train with a routed metric as one rank of two, and print what came of it as JSON.

Usage: routed.py MODE, with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT in the environment; MODE
is `route`, `named`, or `lost`: then rank 1 has no such metric.
"""
# ruff: noqa: D102 - the hooks of a module need no explanation

import json
import os
import sys
import warnings
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import MulticlassAccuracy

from lightning_gradguard import GradGuard

RANK, MODE = int(os.environ["RANK"]), sys.argv[1]


class Model(pl.LightningModule):
    """Has an accuracy in its loss, and remembers hits and samples."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(5, 3)
        self.hits, self.count = 0, 0

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Any:
        x, y = batch
        logits = self.net(x)
        self.hits += int((np.argmax(logits.detach().numpy(), axis=1) == y.numpy()).sum())
        self.count += len(y)
        loss = F.cross_entropy(logits, y)
        if MODE == "named":
            return {"loss": loss, "preds": logits, "target": y}
        if MODE == "lost" and RANK == 1:
            return loss
        return loss + 0.1 * (1 - (logits.argmax(1) == y).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def main() -> None:
    """Train one epoch on batches whose sizes differ between the ranks."""
    warnings.simplefilter("ignore")
    torch.manual_seed(RANK + 1)
    count = 11 if RANK == 0 else 15
    data = TensorDataset(torch.randn(count, 5), torch.randint(0, 3, (count,)))
    metrics: Any = (
        {"accuracy": MulticlassAccuracy(3, average="micro")} if MODE == "named" else "route"
    )
    guard = GradGuard(metrics=metrics)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy="ddp",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[guard],
    )
    model = Model()
    trainer.fit(model, DataLoader(data, batch_size=8))
    value = trainer.callback_metrics.get("gradguard/accuracy")
    result = {
        "hits": model.hits,
        "count": model.count,
        "value": None if value is None else float(value),
    }
    print("RESULT" + json.dumps(result), flush=True)  # noqa: T201
    torch.distributed.destroy_process_group()


main()
