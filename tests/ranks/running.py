# SPDX-License-Identifier: Apache-2.0
"""Run plans once for all tests of a session, and compare what the ranks wrote with a cell."""

import json
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import launch
import pytest
import table

Record = dict[str, Any]
Outcomes = dict[str, list[Record]]


def found(record: Record) -> list[tuple[str, Any, int]]:
    """Return code, ranks and step of every finding that counts, or of the notes where none does."""
    said = record["report"]["diagnostics"]
    loud = [d for d in said if d["severity"] != "info"] or said
    return [(d["code"], d["ranks"], d["step"]) for d in loud]


def check(records: Sequence[Record], cell: table.Cell, *, world: int = 2) -> None:
    """Compare what all ranks wrote with what they should have."""
    assert [r["rank"] for r in records] == list(range(world)), "a rank did not come to the end"
    ranks = None if cell.ranks is None else list(cell.ranks)
    want = {(cell.code, tuple(ranks) if ranks else None, cell.step)} if cell.code else set()
    for record in records:
        got = {(c, tuple(r) if r else None, s) for c, r, s in found(record)}
        assert got == want, record["report"]
        assert record["modes"] == 0
        assert record["seconds"] < 30, "a message was waited for until the time limit"
    assert len({json.dumps(r["report"]["diagnostics"]) for r in records}) == 1
    _check_end(records, cell)


def _check_end(records: Sequence[Record], cell: table.Cell) -> None:
    if cell.ends == "raises" and cell.code != "GG901":
        assert all(r["ours"] for r in records)
        assert len({r["text"] for r in records}) == 1
        assert all(cell.code in r["text"] for r in records)
    elif cell.ends == "raises":
        assert any(r["ours"] for r in records)
        assert all(r["error"] for r in records)
    elif cell.ends == "trains":
        assert [r["error"] for r in records] == [None] * len(records)
        assert [len(r["told"]) for r in records[1:]] == [0] * (len(records) - 1), "rank 0 speaks"
        assert bool(records[0]["told"]) is bool(cell.code)


def once(base: Path, name: str, work: Callable[[Path], Outcomes], patience: float) -> Outcomes:
    """Do something in one of several test processes, and let the others wait for the result."""
    result, folder = base / f"{name}.json", base / name
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + patience
        while not result.exists() and time.monotonic() < end:
            time.sleep(0.2)
        return json.loads(result.read_text())  # type: ignore[no-any-return]
    outcomes = work(folder)
    draft = base / f"{name}.draft"
    draft.write_text(json.dumps(outcomes))
    draft.replace(result)
    return outcomes


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all test processes of this session share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


def run_plan(
    base: Path, name: str, plan: Sequence[dict[str, Any]], deadline: float, **more: Any
) -> Outcomes:
    """Run a plan once for all tests of this session; the rest is for `launch`."""
    work = partial(launch.launch, plan, deadline=deadline, **more)
    return once(base, name, work, deadline + 30)
