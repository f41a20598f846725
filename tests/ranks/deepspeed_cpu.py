# SPDX-License-Identifier: Apache-2.0
"""DeepSpeed's ZeRO on the CPU, which Lightning refuses outside of tests."""

import os
from typing import Any

import torch

os.environ["DS_ACCELERATOR"] = "cpu"

from lightning_fabric.utilities.seed import reset_seed
from pytorch_lightning.strategies import DeepSpeedStrategy


class CPUDeepSpeed(DeepSpeedStrategy):
    """A strategy without the check for CUDA, over gloo."""

    def __init__(self, stage: int) -> None:
        config: dict[str, Any] = {
            "train_micro_batch_size_per_gpu": 2,
            "zero_optimization": {"stage": stage},
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
        }
        super().__init__(stage=stage, process_group_backend="gloo", config=config)

    @property
    def root_device(self) -> torch.device:
        """Return a device with an index, which DeepSpeed asks for."""
        return torch.device("cpu", 0)

    def setup_environment(self) -> None:
        """Start the accelerator and the process group."""
        super(DeepSpeedStrategy, self).setup_environment()

    def setup_distributed(self) -> None:
        """Start the process group over gloo."""
        reset_seed()
        self.set_world_ranks()
        self._process_group_backend = "gloo"
        self._init_deepspeed_distributed()
