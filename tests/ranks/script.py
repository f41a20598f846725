# SPDX-License-Identifier: Apache-2.0
"""A training script as a user would start it, in the ways Lightning has of starting processes."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from models import Model
from pytorch_lightning.strategies import DDPStrategy

from lightning_gradguard import GradGuard


def main(launcher: str, out: str) -> None:
    """Train with a layer that rank 1 does not use."""
    torch.set_num_threads(1)
    method: Any = launcher if launcher in {"spawn", "fork"} else "popen"
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=2,
        strategy=DDPStrategy(start_method=method, process_group_backend="gloo"),
        max_steps=4,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[GradGuard(strict=True)],
    )
    rank = os.environ.get("LOCAL_RANK", "0")
    try:
        trainer.fit(Model("unused@1+2", "ddp"))
    except BaseException as error:
        Path(f"{out}.{rank}").write_text(
            json.dumps({"error": type(error).__name__, "text": str(error)})
        )
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
