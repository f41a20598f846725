# SPDX-License-Identifier: Apache-2.0
"""Start the ranks of a job as processes, with a deadline, and read what they wrote."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.distributed import TCPStore  # type: ignore[attr-defined]

HERE = Path(__file__).resolve().parent
Records = dict[str, list[dict[str, Any]]]


def free_port() -> int:
    """Return a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(
    plan: Sequence[dict[str, Any]],
    folder: Path,
    *,
    deadline: float,
    world: int = 2,
    framework: str = "",
) -> Records:
    """Run a plan on `world` processes.

    Args:
        plan: jobs as `worker.py` takes them, without numbers.
        folder: where the plan and the lines are written.
        deadline: all processes are killed after this many seconds.
        world: number of processes.
        framework: `lightning` for the second of Lightning's names.

    Returns:
        job id -> the lines of the ranks that came to its end, in the order of the ranks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Here rank 0 tells the others the port of each job; it takes it at the last moment.
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    jobs = [{**job, "number": number} for number, job in enumerate(plan)]
    (folder / "plan.json").write_text(json.dumps(jobs))
    processes = [
        _start(folder, rank, world, {"STORE_PORT": str(store.port), "FRAMEWORK": framework})
        for rank in range(world)
    ]
    _wait(processes, deadline)
    del store
    records: Records = {}
    for rank in range(world):
        out = folder / f"rank{rank}.jsonl"
        for line in out.read_text().splitlines() if out.exists() else []:
            record = json.loads(line)
            records.setdefault(record["id"], []).append(record)
    return records


def _start(folder: Path, rank: int, world: int, more: dict[str, str]) -> "subprocess.Popen[bytes]":
    extra = [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "NODE_RANK": "0",
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "0",
        **more,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, extra)),
        "GLOO_SOCKET_IFNAME": "lo",
    }
    with (folder / f"rank{rank}.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - this interpreter and a file of this folder
            [
                sys.executable,
                str(HERE / "worker.py"),
                str(folder / "plan.json"),
                str(folder / f"rank{rank}.jsonl"),
            ],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )


def _wait(processes: Sequence["subprocess.Popen[bytes]"], deadline: float) -> None:
    """Wait for all processes; kill those that are late."""
    end = time.monotonic() + deadline
    for process in processes:
        try:
            process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            for each in processes:
                each.kill()
    for process in processes:
        process.wait()
