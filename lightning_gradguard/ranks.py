# SPDX-License-Identifier: Apache-2.0
"""What one rank knows, reduced to what the job knows; the only file that calls a collective.

All of it runs on tensors in host memory over a process group of the guard's own, with the time
limit of the job: nothing waits for a device, and no message can be taken for a gradient bucket of
DDP or a broadcast of the Trainer, however far apart the ranks have drifted. In steady state a
message has the same 112 bytes whatever the model: sets of parameters are compared by a digest, and
travel only where the digests differ.
"""

import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import timedelta
from enum import IntEnum
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor

if TYPE_CHECKING:
    from lightning_gradguard.rules import Diagnostic


__all__ = [
    "Answer",
    "Event",
    "LostRankError",
    "Note",
    "Ranks",
    "UnsentError",
    "merge_findings",
    "words",
]

_MAX_LISTED = 8
# How long, in s, the ranks wait for each other before the first message; never so long that those
# without a guard, who wait for the others in the job's own exchange, give up first.
_MEETING = 60.0
# How long gloo's threads get to let go of what was sent, in s; once, when the line is taken down.
_LETTING_GO = 0.02


class LostRankError(RuntimeError):
    """Raised when a rank does not answer: its process has ended, or the time limit has passed."""


class UnsentError(RuntimeError):
    """Raised on every rank when one of them cannot put into bytes what it has to say."""


class Event(IntEnum):
    """Where in the course of a run a rank is."""

    START = 1
    BACKWARD = 2
    STEP = 3
    SCALARS = 4
    CADENCE = 5
    EPOCH = 6
    FINISH = 7
    FAILED = 8


@dataclass(frozen=True, slots=True)
class Note:
    """What one rank tells the others.

    Attributes:
        event: what it is about to do.
        names: digest of the parameter names in their order.
        content: digest of the reached set, or of the states of the gradients.
        link: how its loss hangs together with the parameters.
        blind: part of the graph cannot be seen.
        news: it has findings or faults to tell.
        last: it has no batch after this one.
    """

    event: int
    names: int = 0
    content: int = 0
    link: int = 0
    blind: int = 0
    news: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """The least and the largest value of each field over all ranks."""

    low: Note
    high: Note

    def differs(self, name: str) -> bool:
        """Say whether the ranks differ in a field."""
        return bool(getattr(self.low, name) != getattr(self.high, name))


class Ranks:
    """The processes of a job and a line between them.

    Args:
        limit: how long a rank may keep the others waiting, in s; `None` takes torch's default.

    Raises:
        LostRankError: there is no line to all ranks.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._sent: Tensor | None = None  # kept, so that no thread of gloo has to delete it
        wait = timedelta(seconds=limit) if limit is not None else None
        patience = _MEETING if limit is None else min(limit / 4, _MEETING)
        if not self._all_here(patience):
            raise LostRankError(
                f"not all of them came within {patience:.0f} s; `GradGuard` must be among the "
                "callbacks of every rank"
            )
        try:
            self._group: Any = dist.new_group(backend="gloo", timeout=wait)
        except RuntimeError as error:
            raise LostRankError(_reason(str(error))) from error

    @staticmethod
    def available() -> bool:
        """Say whether torch's own processes carry this job."""
        return bool(dist.is_available() and dist.is_initialized() and dist.is_gloo_available())

    def _all_here(self, limit: float) -> bool:
        """Say whether every rank asks this within some seconds, the same on all that ask.

        Opening a group waits for all ranks, so a guard that only some of them have must not try.
        Whoever comes last, or has waited for too long, writes the answer into the store of the job;
        the first answer holds.
        """
        store = dist.distributed_c10d._get_default_store()  # noqa: SLF001 - the only way to it
        number = store.add(f"gradguard/rank {self.rank}", 1)
        key = f"gradguard/meeting {number}"
        if store.add(f"{key}/ranks", 1) == self.size:
            store.compare_set(key, "", "all")
        try:
            store.wait([key], timedelta(seconds=limit))
        except RuntimeError:
            store.compare_set(key, "", "some")
        return bool(store.get(key) == b"all")

    def compare(self, note: Note, wait: float | None = None) -> Answer:
        """Tell all ranks a note and hear what theirs range over; every rank must call this.

        Args:
            note: what this rank says.
            wait: give up after this many seconds, for a last word that nobody may be there to hear.

        Raises:
            LostRankError: some rank is gone.
        """
        mine = [int(v) for v in astuple(note)]
        table = torch.tensor([*mine, *(-v for v in mine)], dtype=torch.int64)
        self._reduce(table, dist.ReduceOp.MAX, wait)
        both = table.tolist()
        count = len(mine)
        return Answer(Note(*(-v for v in both[count:])), Note(*both[:count]))

    def largest(self, states: Sequence[int]) -> list[int]:
        """Return the largest of each state over all ranks; states run from -1 to 127."""
        table = torch.frombuffer(bytearray(s + 1 for s in states), dtype=torch.uint8)
        self._reduce(table, dist.ReduceOp.MAX, None)
        return [v - 1 for v in table.tolist()]

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sum of each value over all ranks."""
        table = torch.tensor(values, dtype=torch.float64)
        self._reduce(table, dist.ReduceOp.SUM, None)
        return [float(v) for v in table.tolist()]

    def gather(self, thing: Any) -> list[Any]:  # noqa: ANN401 - anything that can be pickled
        """Return what every rank brings, in the order of the ranks.

        Raises:
            LostRankError: some rank is gone.
            UnsentError: what some rank brings cannot be pickled.
        """
        theirs: list[Any] = [None] * self.size
        packed = _pack(thing)
        self._guarded(lambda: dist.all_gather_object(theirs, packed, group=self._group))
        for rank, each in enumerate(theirs):
            if isinstance(each, str):
                raise UnsentError(f"rank {rank} cannot send what it has to say: {each}")
        return [pickle.loads(each) for each in theirs]  # noqa: S301 - from the ranks of this job

    def close(self) -> None:
        """Take the line down; the job's own groups stay."""
        group, self._group = self._group, None
        if group is None:
            return
        if dist.is_initialized():
            dist.destroy_process_group(group)
        # The group goes when this function ends. Torch 2.6 then waits for gloo's threads with the
        # lock of the interpreter in hand, which they need to let go of the last message.
        time.sleep(_LETTING_GO)
        self._sent = None

    def _reduce(self, table: Tensor, op: Any, wait: float | None) -> None:  # noqa: ANN401 - torch's enum
        self._sent = table
        if wait is None:
            self._guarded(lambda: dist.all_reduce(table, op=op, group=self._group))
            return
        # The limit of this one message; a limit on waiting alone would leave it pending, and the
        # process could not end before the job's own limit.
        options = dist.AllreduceOptions()
        options.reduceOp, options.timeout = op, timedelta(seconds=wait)
        self._guarded(lambda: self._group.allreduce([table], options).wait())

    def _guarded(self, deed: Callable[[], Any]) -> None:
        if self._group is None:  # torch would take the group of the job instead
            raise LostRankError("the line between the ranks has been taken down")
        try:
            deed()
        except RuntimeError as error:
            raise LostRankError(_reason(str(error))) from error


def _pack(thing: Any) -> bytes | str:  # noqa: ANN401
    """Return something as bytes, or in words why that cannot be done."""
    try:
        return pickle.dumps(thing)
    except Exception as error:  # noqa: BLE001 - whatever it is, this rank must not stay away
        return f"{type(error).__name__}: {error}"


def _reason(text: str) -> str:
    """Say in the guard's words what gloo reports."""
    if "Timed out" in text or "timeout" in text.lower():
        return "it did not answer within the time limit"
    return (
        "its process has ended"
        if "closed by peer" in text or "reset by peer" in text
        else text.splitlines()[0][:200]
    )


# -- what all of them found, as one list


def merge_findings(
    found: Sequence[Sequence["Diagnostic"]], suspects: Sequence[int] = ()
) -> list["Diagnostic"]:
    """Make one list of the findings of all ranks, the same on each of them.

    The same finding on every rank is one finding of the job; on some, it carries their numbers.
    What an earlier rank says about a parameter is not said again in other words.

    Args:
        found: the findings of each rank, in the order of the ranks.
        suspects: ranks on which a value that is not finite came up; the others only received it.
    """
    size = len(found)
    kept: list[Diagnostic] = []
    ranks: list[set[int]] = []
    order = sorted(range(size), key=lambda rank: (rank not in suspects, rank))
    for rank in order:
        for diagnostic in found[rank]:
            place = next((i for i, other in enumerate(kept) if _same(other, diagnostic)), None)
            if place is None:
                kept.append(diagnostic)
                ranks.append({rank})
            else:
                ranks[place].add(rank)
    told = []
    for diagnostic, where in zip(kept, ranks, strict=True):
        mine = set(suspects) if diagnostic.code == "GG204" and suspects else where
        told.append(replace(diagnostic, ranks=None if len(mine) == size else tuple(sorted(mine))))
    return told


def _same(one: "Diagnostic", other: "Diagnostic") -> bool:
    """Say whether two findings are about the same thing."""
    if one.code[:3] != other.code[:3]:
        return False
    if other.params and one.params:
        return set(other.params) <= set(one.params)
    mine, theirs = (
        (d.span.path, d.span.line, d.span.column) if d.span else d.message for d in (one, other)
    )
    return one.code == other.code and mine == theirs


def words(ranks: Sequence[int]) -> str:
    """Name ranks in a sentence.

    Example:
        >>> words([0]), words([0, 2]), words(range(20))
        ('rank 0', 'ranks 0 and 2', 'ranks 0, 1, 2, 3, 4, 5, 6, 7 and 12 more')
    """
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    if len(ranks) > _MAX_LISTED:
        first = ", ".join(map(str, ranks[:_MAX_LISTED]))
        return f"ranks {first} and {len(ranks) - _MAX_LISTED:,} more"
    return f"ranks {', '.join(map(str, ranks[:-1]))} and {ranks[-1]}"
