# SPDX-License-Identifier: Apache-2.0
"""Run a plan of trainings as one rank of a job, and write what came of each as a line of JSON.

Usage: worker.py PLAN OUT, with RANK, WORLD_SIZE and MASTER_ADDR in the environment. The plan is a
list of objects: `id`, `strategy`, `case`, `guard` and `trainer` (arguments), `number`, `limit`
(time limit of the process group in s), `only_on`, the one rank that has a guard, and `program`, the
source of a module that takes the place of strategy and case. Every training has its own process
group.
"""

import hashlib
import json
import os
import sys
import time
import warnings
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import launch
import models
import strategies
import torch
import torch.distributed as dist
from framework import pl

from lightning_gradguard import GradGuard, GradGuardError
from lightning_gradguard.report import render

PLACE = {k: v for k, v in os.environ.items() if k.endswith(("RANK", "WORLD_SIZE", "MASTER_ADDR"))}
STORE = dist.TCPStore(  # type: ignore[attr-defined]
    "127.0.0.1", int(os.environ["STORE_PORT"]), is_master=False
)
RANK = int(os.environ["RANK"])
HOME = Path.cwd()
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "devices": int(os.environ["WORLD_SIZE"]),
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
    "max_steps": 4,
}


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Train once; returns what a test may want to know."""
    os.environ.update(PLACE, MASTER_PORT=_port(job["number"]))
    torch.manual_seed(0)
    options = dict(job.get("trainer", {}))
    program = _load(job["program"], job["id"]) if "program" in job else None
    model = program.Model() if program else models.build(job["case"], job["strategy"])
    if options.get("logger") == "recorder":
        options["logger"] = models.Recorder(model)
    guard = GradGuard(**(job.get("guard") or {}))
    started = time.perf_counter()
    error: BaseException | None = None
    told: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer = pl.Trainer(
            **{**QUIET, **options},
            strategy=strategies.make(job["strategy"], timedelta(seconds=job.get("limit", 40))),
            callbacks=_callbacks(job, guard),
        )
        try:
            trainer.fit(model, program.dataloader() if program else None)
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test wants to see it
            error = exc
        told = [str(w.message) for w in caught if "GG" in str(w.message)[:20]]
    return {
        "id": job["id"],
        "rank": RANK,
        "seconds": time.perf_counter() - started,
        "error": type(error).__name__ if error else None,
        "ours": isinstance(error, GradGuardError),
        "text": str(error) if error else "",
        "told": told,
        "global_step": trainer.global_step,
        "report": guard.report.to_dict(),
        "rendered": [render(d) for d in guard.report.diagnostics],
        "modes": torch._C._len_torch_function_stack(),
        "groups": len(dist.distributed_c10d._world.pg_map) if dist.is_initialized() else 0,
        "logged": models.logged(model),
        "weights": hashlib.sha256(
            b"".join(bytes(_local(p).tolist().__repr__(), "ascii") for p in model.parameters())
        ).hexdigest(),
    }


def _load(source: str, folder: str) -> Any:
    """Import a program from a file `train.py` in the working directory, as a user has it."""
    place = HOME / folder
    place.mkdir(exist_ok=True)
    os.chdir(place)
    path = place / "train.py"
    path.write_text(source, encoding="utf-8")
    module = ModuleType("train")
    module.__file__ = str(path)
    sys.modules["train"] = module
    exec(compile(source, path, "exec"), vars(module))  # noqa: S102 - the project's own examples
    return module


def _callbacks(job: dict[str, Any], guard: GradGuard) -> list[pl.Callback]:
    """Return the guard and what goes with it, if this rank has one."""
    if job.get("guard", {}) is None or job.get("only_on", RANK) != RANK:
        return []
    return [guard, *models.callbacks(job["case"], guard)]


def _port(number: int) -> str:
    """Return the port of a job: rank 0 takes one that is free now, and tells the others."""
    key = f"port of job {number}"
    if RANK == 0:
        STORE.set(key, str(launch.free_port()))
    return str(STORE.get(key).decode())


def _local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def main() -> None:
    """Run all jobs of the plan; each line is written before the next job begins."""
    plan, out = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    for job in plan:
        record = run(job)
        if not job["strategy"].startswith("deepspeed"):  # which keeps one group for good
            with suppress(Exception):
                dist.destroy_process_group()
        with out.open("a") as file:
            file.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
    os._exit(0)  # the line is written; gloo may abort a process that ends in the usual way
