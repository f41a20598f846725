# SPDX-License-Identifier: Apache-2.0
"""What importing the package costs, and what its plugin adds to an unrelated pytest run."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common

HEAVY = (
    "pytorch_lightning",
    "lightning",
    "matplotlib",
    "wandb",
    "tensorboard",
    "rich",
    "torchmetrics",
)
ROUNDS = 3
_IMPORTS = """
import json, sys, time
import torch
start = time.thread_time()
import lightning_gradguard
took = time.thread_time() - start
print(json.dumps([took, [n for n in {heavy!r} if n in sys.modules]]))
"""


def import_cost() -> dict[str, Any]:
    """Import the package where torch has been imported, and see what else came along."""
    runs = [
        json.loads(_run([sys.executable, "-c", _IMPORTS.format(heavy=HEAVY)])) for _ in range(5)
    ]
    return {"ms": round(1000 * statistics.median(r[0] for r in runs), 1), "brings": runs[0][1]}


def plugin_cost() -> dict[str, float]:
    """Run pytest on a test that has nothing to do with training, with the plugin and without."""
    found: dict[str, list[float]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    assert True\n")
        common_part = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        for turn in range(ROUNDS):
            kinds = ("with", "without") if turn % 2 else ("without", "with")
            for kind in kinds:
                off = ["-p", f"no:{plugin_name()}"] if kind == "without" else []
                found[kind].append(_seconds([*common_part, *off], folder))
    extra = [a - b for a, b in zip(found["with"], found["without"], strict=True)]
    return {
        "without_ms": round(1000 * statistics.median(found["without"]), 1),
        "extra_ms": round(1000 * statistics.median(extra), 1),
    }


def plugin_name() -> str:
    """Return the name under which pytest knows the plugin."""
    from importlib.metadata import entry_points

    found = [e.name for e in entry_points(group="pytest11") if "gradguard" in e.value]
    if not found:
        raise SystemExit("the package is not installed, so pytest loads no plugin of it")
    return found[0]


def _run(command: Sequence[str], folder: str | None = None) -> str:
    out = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)  # noqa: S603 - our own
    return out.stdout


def _seconds(command: Sequence[str], folder: str) -> float:
    """Return the processor time of a child process."""
    before, start = os.times(), time.perf_counter()
    _run(command, folder)
    after = os.times()
    used = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return used or time.perf_counter() - start


def lines(results: dict[str, Any]) -> str:
    """Return the sentences of the documentation."""
    brings = (
        ", ".join(f"`{n}`" for n in results["import"]["brings"]) or "none of the heavy packages"
    )
    took, plugin = results["import"]["ms"], results["plugin"]
    return (
        f"`import lightning_gradguard` takes {took:.0f} ms after torch and brings {brings}.\n"
        f"The pytest plugin adds {plugin['extra_ms']:.0f} ms of processor time to an unrelated "
        f"run of {plugin['without_ms']:.0f} ms."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    results = {"import": import_cost(), "plugin": plugin_cost()}
    print(common.origin())
    print(lines(results))
    if not options.dry:
        print(common.write("startup", results))


if __name__ == "__main__":
    main()
