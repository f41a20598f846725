# SPDX-License-Identifier: Apache-2.0
"""How cost grows: with the number of tensors, their size, and the calls of a traced step."""

import argparse
import statistics
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import common
import torch
from torch import Tensor

from lightning_gradguard.audit import Audit
from lightning_gradguard.trace import Collector, Recorder

TENSORS = (10, 30, 100, 300, 1000, 3000, 10_000, 20_000)
VALUES = (10**4, 10**5, 10**6, 10**7, 10**8, 10**9)
CALLS = (100, 1000, 10_000, 100_000, 1_000_000)
KEPT = 16  # values of each small tensor


def look_cost(params: Mapping[str, Tensor], repeats: int) -> float:
    """Return the microseconds of one look at gradients that are alive."""
    audit = Audit()

    def look(step: int) -> None:
        audit.observe(params, step, states=audit.look(params, step))

    for step in range(3):
        look(step)
    times = [common.seconds(lambda: look(9)) for _ in range(repeats)]
    return round(statistics.median(times) * 1e6, 1)


def parameters(count: int, size: int) -> dict[str, Tensor]:
    """Return parameters with gradients that are alive; one block of memory serves as both."""
    found: dict[str, Tensor] = {}
    for index in range(count):
        param = torch.nn.Parameter(torch.ones(size))
        param.grad = param.detach()
        found[f"p{index}"] = param
    return found


def by_tensors() -> list[dict[str, float]]:
    """Vary the number of small tensors."""
    rows = []
    for count in TENSORS:
        cost = look_cost(parameters(count, KEPT), max(5, min(200, 30_000 // count)))
        rows.append({"tensors": count, "us": cost})
    return rows


def by_values() -> list[dict[str, float]]:
    """Vary the size of ten tensors, as far as memory goes."""
    # One block of memory serves as parameter and as gradient; half of what is free is left alone.
    fitting = [values for values in VALUES if values * 4 <= _free_bytes() // 2]
    return [{"values": v, "us": look_cost(parameters(10, v // 10), 100)} for v in fitting]


def _free_bytes() -> int:
    """Return how much memory the machine has left, 6 GiB where it does not say."""
    info = Path("/proc/meminfo")
    lines = info.read_text().splitlines() if info.exists() else []
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return free[0] if free else 6 * 2**30


def by_calls() -> list[dict[str, float]]:
    """Vary the calls of one traced step; past the limit the rest is not recorded."""
    rows = []
    for calls in CALLS:
        runs = [_record(calls) for _ in range(max(1, min(9, 10**6 // calls)))]
        extra = statistics.median(seconds for seconds, _ in runs)
        rows.append({
            "calls": calls,
            "recorded": runs[0][1],
            "extra_ms": round(1000 * extra, 2),
            "extra_us": round(1e6 * extra / calls, 2),
            "kib": _kib(calls) if calls <= CALLS[3] else 0,
        })  # fmt: skip
    return rows


def _record(calls: int) -> tuple[float, int]:
    """Return the seconds that a trace adds to so many calls, and how many it has recorded."""
    x = torch.ones(2, 4, requires_grad=True)
    plain = common.seconds(lambda: _work(x, calls))
    recorder = Recorder({"x": x})
    collector = Collector()
    collector.calm()
    with recorder:
        traced = common.seconds(lambda: _work(x, calls))
    collector.restore()
    recorded = len(recorder.trace.calls)
    recorder.forget()
    return traced - plain, recorded


def _work(x: Tensor, calls: int) -> None:
    for _ in range(calls // 2):
        (x * 2.0).view(8)


def _kib(calls: int) -> float:
    """Return what a record takes."""
    x = torch.ones(2, 4, requires_grad=True)
    recorder = Recorder({"x": x})
    tracemalloc.start()
    with recorder:
        _work(x, calls)
    recorder.forget()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(size / 1024, 1)


def slope(rows: Sequence[Mapping[str, float]], x: str, y: str) -> float:
    """Return the growth between the last two rows: 1 is linear, 0 is flat."""
    import math

    (a, b) = rows[-2:]
    return round(math.log(b[y] / a[y]) / math.log(b[x] / a[x]), 2)


def lines(results: dict[str, Any]) -> str:
    """Return the tables of the documentation."""
    tensors = [[f"{r['tensors']:,}", f"{r['us']:,.0f} us"] for r in results["tensors"]]
    values = [[f"{r['values']:,}", f"{r['us']:,.0f} us"] for r in results["values"]]
    calls = [
        [f"{r['calls']:,}", f"{r['recorded']:,}", f"{r['extra_ms']:,.1f} ms",
         f"{r['extra_us']:.1f} us", f"{r['kib']:,.0f} KiB" if r["kib"] else ""]
        for r in results["calls"]
    ]  # fmt: skip
    return "\n\n".join((
        common.table(["tensors of 16 values", "one look"], tensors),
        common.table(["values in 10 tensors", "one look"], values),
        common.table(
            ["calls in a step", "recorded", "time added", "time a call", "record"], calls
        ),
    ))  # fmt: skip


def plot(results: dict[str, Any], folder: Path) -> list[Path]:
    """Draw the three curves, where matplotlib is installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("matplotlib is not installed, nothing is drawn")
        return []
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    curves: list[tuple[str, str, str, str, Callable[[float], float]]] = [
        ("tensors", "tensors", "us", "time of one look, us", lambda x: x),
        ("values", "values", "us", "time of one look, us", lambda _: 1.0),
        ("calls", "calls", "extra_ms", "time added to the traced step, ms", lambda x: x),
    ]
    paths = []
    for name, x, y, label, shape in curves:
        rows = results[name]
        xs, ys = [r[x] for r in rows], [r[y] for r in rows]
        figure, axes = plt.subplots(figsize=(5, 3.2), layout="constrained")
        axes.loglog(xs, ys, "o-", label="measured")
        middle = len(xs) // 2
        guide = [ys[middle] * shape(v) / shape(xs[middle]) for v in xs]
        axes.loglog(xs, guide, ":", color="grey", label="flat" if name == "values" else "linear")
        # A decade at the least: half a percent is not to fill a picture.
        axes.set(xlabel=f"number of {name}", ylabel=label, ylim=(min(ys) / 4, max(ys) * 4))
        axes.legend(frameon=False)
        paths.append(folder / f"growth_{name}.png")
        figure.savefig(paths[-1], dpi=120, metadata={"Software": None})
        plt.close(figure)
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry", action="store_true", help="write no file")
    parser.add_argument("--plot", action="store_true", help="only draw what has been measured")
    options = parser.parse_args(arguments)
    common.quiet()
    if options.plot:
        print(*plot(common.read("growth")["results"], common.RESULTS), sep="\n")
        return
    results: dict[str, Any] = {"tensors": by_tensors(), "values": by_values(), "calls": by_calls()}
    results["slopes"] = {
        "tensors": slope(results["tensors"], "tensors", "us"),
        "values": slope(results["values"], "values", "us"),
        "calls": slope(results["calls"][:-1], "calls", "extra_ms"),
    }
    print(common.origin())
    print(lines(results))
    print(results["slopes"])
    if not options.dry:
        print(common.write("growth", results), *plot(results, common.RESULTS), sep="\n")


if __name__ == "__main__":
    main()
