# SPDX-License-Identifier: Apache-2.0
"""What is said for every strategy in every case: tests run it, the page about ranks shows it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Cell:
    """The outcome of one training on two processes, without `strict`.

    Attributes:
        code: what is found, `""` for nothing.
        ranks: the ranks it is about, `None` for all.
        step: global step at which it is found.
        ends: `trains` to the end, `raises` the guard's error on every rank, or ends with an error
            of `its own`.
        note: why nothing can be said; such a cell ends the job and has processes of its own.
    """

    code: str = ""
    ranks: tuple[int, ...] | None = None
    step: int = 0
    ends: str = "trains"
    note: str = ""

    def text(self) -> str:
        """Draw the cell for the page about ranks."""
        if self.note:
            return self.note
        if not self.code:
            return "silent"
        where = "all" if self.ranks is None else ", ".join(map(str, self.ranks))
        return f"{self.code}, rank {where}, step {self.step}, {self.ends}"


SILENT = Cell()
LAST = 3  # trainings take four steps; what needs patience is said at their end
STRATEGIES = (
    "ddp",
    "ddp_view",
    "ddp_unused",
    "ddp_static",
    "fsdp1",
    "fsdp1_units",
    "fsdp2",
    "fsdp2_units",
    "tp",
    "deepspeed1",
    "deepspeed2",
    "deepspeed3",
)
TITLES: Mapping[str, str] = {
    "ddp": "DDP",
    "ddp_view": "DDP, `gradient_as_bucket_view`",
    "ddp_unused": "DDP, `find_unused_parameters`",
    "ddp_static": "DDP, `static_graph`",
    "fsdp1": "FSDP1, one unit",
    "fsdp1_units": "FSDP1, wrapped layers",
    "fsdp2": "FSDP2, root only",
    "fsdp2_units": "FSDP2, sharded layers",
    "tp": "tensor parallel",
    "deepspeed1": "DeepSpeed ZeRO 1",
    "deepspeed2": "DeepSpeed ZeRO 2",
    "deepspeed3": "DeepSpeed ZeRO 3",
}
CASES: Mapping[str, str] = {
    "healthy": "healthy",
    "unused": "unused on all ranks",
    "unused@1": "unused on rank 1",
    "zero": "zero on all ranks",
    "zero@1": "zero on rank 1",
    "nograd": "no graph on all ranks",
    "nograd@1": "no graph on rank 1",
    "leaf": "relabelled on all ranks",
    "leaf@1": "relabelled on rank 1",
    "nan@1": "NaN on rank 1",
    "raise@1": "rank 1 raises",
    "uneven@1": "rank 1 has fewer batches",
}
_ABORTS = "not seen: the job aborts in forward"
_WAITS = "not seen: rank 0 waits for rank 1 in forward, until the process of rank 1 has ended"
_COMMON: Mapping[str, Cell] = {
    "healthy": SILENT,
    "unused": Cell("GG106", None, LAST),
    "unused@1": Cell("GG301", (1,), LAST),
    "zero": Cell("GG203", None, LAST),
    "zero@1": SILENT,
    "nograd": Cell("GG101", None, 0, "raises"),
    "nograd@1": Cell("GG302", (1,), 0, "raises"),
    "leaf": Cell("GG102", None, 0),
    "leaf@1": Cell("GG302", (1,), 0, "raises"),
    "nan@1": Cell("GG204", (1,), 0),
    "raise@1": Cell("GG901", None, 0, "raises"),
    "uneven@1": Cell("GG901", None, 1, "raises"),
}
_AT_ONCE = Cell("GG301", (1,), 0, "raises")
_PLAIN = {"unused": Cell("GG106", None, 0, "raises"), "unused@1": _AT_ONCE}
_ZERO = {"leaf": Cell("GG102", None, 0, "its own")}
_SPECIAL: Mapping[str, Mapping[str, Cell]] = {
    "ddp": _PLAIN,
    "ddp_view": _PLAIN,
    "fsdp1": {"unused": Cell("GG203", None, LAST), "unused@1": SILENT},
    "fsdp1_units": {"unused@1": Cell(note=_ABORTS), "raise@1": Cell(note=_WAITS)},
    "fsdp2": {"unused@1": Cell(note="not seen: the job aborts in backward")},
    "fsdp2_units": {"unused@1": Cell(note=_ABORTS), "raise@1": Cell(note=_WAITS)},
    "tp": {"raise@1": Cell(note=_WAITS)},
    "deepspeed1": {**_ZERO, "unused@1": _AT_ONCE},
    "deepspeed2": {**_ZERO, "unused@1": _AT_ONCE},
    "deepspeed3": {"unused@1": Cell(note=_ABORTS), "raise@1": Cell(note=_WAITS)},
}


def expected(strategy: str, case: str) -> Cell:
    """Return the outcome of a case under a strategy."""
    return _SPECIAL.get(strategy, {}).get(case, _COMMON[case])


def cells(deepspeed: bool) -> Iterator[tuple[str, str, Cell]]:  # noqa: FBT001 - one of two halves
    """Yield the cells that run, with DeepSpeed or without."""
    for strategy in STRATEGIES:
        if strategy.startswith("deepspeed") is deepspeed:
            for case in CASES:
                cell = expected(strategy, case)
                if not cell.note:
                    yield strategy, case, cell


def noted(case: str) -> list[str]:
    """Return the strategies under which nothing can be said in a case."""
    return [s for s in STRATEGIES if expected(s, case).note]


def job(strategy: str, case: str, **more: Any) -> dict[str, Any]:
    """Return the job for the worker."""
    trainer = {"max_epochs": 1, "max_steps": -1} if case.startswith("uneven") else {}
    return {
        "id": f"{strategy}-{case}",
        "strategy": strategy,
        "case": case,
        "trainer": trainer,
        **more,
    }


def markdown() -> str:
    """Draw the table, a row a case and strategy family side by side."""
    lines = []
    for strategy in STRATEGIES:
        lines += [f"### {TITLES[strategy]}", "", "| case | outcome |", "|---|---|"]
        lines += [
            f"| {title} | {expected(strategy, case).text()} |" for case, title in CASES.items()
        ]
        lines.append("")
    return "\n".join(lines)
