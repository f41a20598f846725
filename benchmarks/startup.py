# SPDX-License-Identifier: Apache-2.0
"""What importing the package costs, and what its plugin adds to an unrelated pytest run."""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common

PLUGIN = "lightning_gradguard.pytest_plugin"
HEAVY = (
    "pytorch_lightning",
    "lightning",
    "matplotlib",
    "wandb",
    "tensorboard",
    "rich",
    "torchmetrics",
)
ROUNDS = 15
_IMPORTS = """
import json, sys, time
import {first}
before = set(sys.modules)
start = time.thread_time()
{statement}
took = time.thread_time() - start
print(json.dumps([took, [n for n in {heavy!r} if n in set(sys.modules) - before]]))
"""
_STEPS = {
    "package": ("torch", "import lightning_gradguard"),
    "guard": ("pytorch_lightning", "from lightning_gradguard import GradGuard; GradGuard()"),
}


def import_cost() -> dict[str, Any]:
    """Import the package after torch, and make a guard after Lightning; see what comes along."""
    found = {}
    for name, (first, statement) in _STEPS.items():
        code = _IMPORTS.format(first=first, statement=statement, heavy=HEAVY)
        runs = [json.loads(_run([sys.executable, "-c", code])) for _ in range(ROUNDS // 3)]
        took = statistics.median(r[0] for r in runs)
        found[name] = {"ms": round(1000 * took, 1), "brings": runs[0][1]}
    return found


def plugin_cost() -> dict[str, float]:
    """Run pytest on a test that has nothing to do with training, with the plugin and without.

    No other plugin is loaded, so that its time does not hide this one's.
    """
    found: dict[str, list[float]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "test_nothing.py").write_text("def test_nothing():\n    assert True\n")
        alone = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        for turn in range(ROUNDS):
            kinds = ("with", "without") if turn % 2 else ("without", "with")
            for kind in kinds:
                on = ["-p", PLUGIN] if kind == "with" else []
                found[kind].append(_seconds([*alone, *on], folder))
    pairs = zip(found["with"], found["without"], strict=True)
    extra = common.middle_half((1000 * (a - b) for a, b in pairs), 1)
    return {
        "without_ms": round(1000 * statistics.median(found["without"]), 1),
        "extra_ms": extra["median"],
        "low_ms": extra["low"],
        "high_ms": extra["high"],
    }


def _run(command: Sequence[str], folder: str | None = None) -> str:
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    out = subprocess.run(  # noqa: S603 - our own
        command, check=True, capture_output=True, text=True, cwd=folder, env=alone
    )
    return out.stdout


def _seconds(command: Sequence[str], folder: str) -> float:
    """Return the processor time of a child process, to the microsecond."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(command, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def lines(results: dict[str, Any]) -> str:
    """Return the sentences of the documentation."""
    package, guard, plugin = (
        results["import"]["package"],
        results["import"]["guard"],
        results["plugin"],
    )
    brings = ", ".join(f"`{n}`" for n in package["brings"]) or "none of the heavy packages"
    more = ", ".join(f"`{n}`" for n in guard["brings"]) or "none of them"
    return (
        f"`import lightning_gradguard` takes {package['ms']:.1f} ms after torch and brings "
        f"{brings}.\n"
        f"`GradGuard()`, imported and made, takes {guard['ms']:.0f} ms after Lightning and brings "
        f"{more}.\n"
        f"The pytest plugin adds {plugin['extra_ms']:.0f} ms ({plugin['low_ms']:.0f} to "
        f"{plugin['high_ms']:.0f}) of processor time to an unrelated run of "
        f"{plugin['without_ms']:.0f} ms."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="write no file")
    options = parser.parse_args(arguments)
    common.quiet()
    results = {"import": import_cost(), "plugin": plugin_cost()}
    print(common.origin())
    print(lines(results))
    if not options.dry:
        print(common.write("startup", results))


if __name__ == "__main__":
    main()
