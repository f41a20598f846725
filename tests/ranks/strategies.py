# SPDX-License-Identifier: Apache-2.0
"""The strategies under test, two processes on the CPU each."""

import os
from datetime import timedelta
from typing import Any

import torch
from framework import DDPStrategy, FSDPStrategy, ModelParallelStrategy

DDP: dict[str, dict[str, Any]] = {
    "ddp": {},
    "ddp_unused": {"find_unused_parameters": True},
    "ddp_static": {"static_graph": True},
    "ddp_view": {"gradient_as_bucket_view": True},
}
SIZE = int(os.environ["WORLD_SIZE"])  # Lightning removes the variable after the first training
FSDP2 = {"fsdp2", "fsdp2_units"}


class CPUFSDP(FSDPStrategy):
    """FSDP on the CPU, which Lightning only refuses for its own class."""

    def _setup_model(self, model: torch.nn.Module) -> torch.nn.Module:
        from torch.distributed.fsdp import FullyShardedDataParallel

        return FullyShardedDataParallel(
            module=model,
            sharding_strategy=self.sharding_strategy,
            device_id=torch.device("cpu"),
            **self.kwargs,
        )


def make(name: str, timeout: timedelta) -> Any:
    """Return a strategy by name."""
    if name in DDP:
        return DDPStrategy(timeout=timeout, process_group_backend="gloo", **DDP[name])
    if name.startswith("fsdp1"):
        more: dict[str, Any] = (
            {"auto_wrap_policy": {torch.nn.Linear}} if name == "fsdp1_units" else {}
        )
        return CPUFSDP(
            timeout=timeout,
            process_group_backend="gloo",
            use_orig_params=name != "fsdp1_flat",
            **more,
        )
    if name in FSDP2 or name == "tp":
        data, tensor = (1, SIZE) if name == "tp" else (SIZE, 1)
        return ModelParallelStrategy(
            data_parallel_size=data,
            tensor_parallel_size=tensor,
            timeout=timeout,
            process_group_backend="gloo",
        )
    if name.startswith("deepspeed"):
        from deepspeed_cpu import CPUDeepSpeed

        return CPUDeepSpeed(stage=int(name[-1]))
    message = f"expected the name of a strategy, got {name!r}"
    raise ValueError(message)
