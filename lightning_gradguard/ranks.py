# SPDX-License-Identifier: Apache-2.0
"""What one rank knows, reduced to what the job knows; the only file that calls a collective.

All of it runs on tensors in host memory over a process group of the guard's own, with the time
limit of the job: nothing waits for a device, and no message can be taken for a gradient bucket of
DDP or a broadcast of the Trainer, however far apart the ranks have drifted. In steady state a
message has the same 112 bytes whatever the model: sets of parameters are compared by a digest, and
travel only where the digests differ.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
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
    "Link",
    "LostRankError",
    "Note",
    "Ranks",
    "Reached",
    "digest",
    "merge_findings",
    "reached",
    "words",
]

# Recomputation inside backward: the graph shows nothing of what such a region uses.
_BLINDING = "CheckpointFunctionBackward"
_MAX_LISTED = 8


class LostRankError(RuntimeError):
    """Raised when a rank does not answer: its process has ended, or the time limit has passed."""


class Event(IntEnum):
    """Where in the course of a run a rank is."""

    BACKWARD = 1
    STEP = 2
    FINISH = 3
    FAILED = 4


class Link(IntEnum):
    """How a loss hangs together with the parameters."""

    PARAMETERS = 0
    LEAF = 1  # it requires grad, but reaches no parameter
    NOTHING = 2  # it does not require grad


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
    """

    def __init__(self, limit: float | None = None) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        wait = timedelta(seconds=limit) if limit is not None else None
        self._group: Any = dist.new_group(backend="gloo", timeout=wait)

    @staticmethod
    def available() -> bool:
        """Say whether torch's own processes carry this job."""
        return bool(dist.is_available() and dist.is_initialized() and dist.is_gloo_available())

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
        """Return what every rank brings, in the order of the ranks."""
        theirs: list[Any] = [None] * self.size
        self._guarded(lambda: dist.all_gather_object(theirs, thing, group=self._group))
        return theirs

    def close(self) -> None:
        """Take the line down; the job's own groups stay."""
        group, self._group = self._group, None
        if group is not None and dist.is_initialized():
            dist.destroy_process_group(group)

    def _reduce(self, table: Tensor, op: Any, wait: float | None) -> None:  # noqa: ANN401 - torch's enum
        def deed() -> None:
            if wait is None:
                dist.all_reduce(table, op=op, group=self._group)
                return
            # The limit of this one message; a limit on waiting alone would leave it pending, and
            # the process could not end before the job's own limit.
            options = dist.AllreduceOptions()
            options.reduceOp, options.timeout = op, timedelta(seconds=wait)
            self._group.allreduce([table], options).wait()

        self._guarded(deed)

    @staticmethod
    def _guarded(deed: Any) -> None:  # noqa: ANN401
        try:
            deed()
        except RuntimeError as error:
            raise LostRankError(_reason(str(error))) from error


def _reason(text: str) -> str:
    """Say in the guard's words what gloo reports."""
    if "Timed out" in text or "timeout" in text.lower():
        return "it did not answer within the time limit"
    return (
        "its process has ended"
        if "closed by peer" in text or "reset by peer" in text
        else text.splitlines()[0][:200]
    )


# -- what one rank sees


@dataclass(slots=True)
class Reached:
    """What the graph of one loss reaches on this rank.

    Attributes:
        found: one byte a parameter, 1 where the graph ends in it.
        link: how the loss hangs together with the parameters.
        blind: the graph holds a region that shows nothing of what it uses.
    """

    found: bytearray
    link: Link
    blind: bool = False


def reached(loss: Tensor, places: Mapping[int, int], *, sharded: bool = False) -> Reached:
    """Walk the autograd graph below a loss.

    Args:
        loss: float[], any device; no value is read.
        places: id of a parameter -> its place in the vector.
        sharded: the graph may end in leaves of shards; any leaf that is no scalar counts as one.

    Cost: 0.3 us a node on one CPU thread.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(3))
        >>> reached((2 * w).sum(), {id(w): 0}).found[0]
        1
    """
    result = Reached(bytearray(len(places)), Link.NOTHING)
    if loss.grad_fn is None:
        _note_leaf(loss, places, result, sharded=sharded)
        return result
    result.link = Link.LEAF
    stack = [loss.grad_fn]
    seen = set(stack)
    while stack:
        node = stack.pop()
        below = node.next_functions
        if not below:
            variable = getattr(node, "variable", None)
            if variable is not None:
                _note_leaf(variable, places, result, sharded=sharded)
            continue
        if type(node).__name__ == _BLINDING:
            result.blind, result.link = True, Link.PARAMETERS
        for child, _ in below:
            if child is not None and child not in seen:
                seen.add(child)
                stack.append(child)
    return result


def _note_leaf(leaf: Tensor, places: Mapping[int, int], result: Reached, *, sharded: bool) -> None:
    if not leaf.requires_grad:
        return
    place = places.get(id(leaf))
    if place is not None:
        result.found[place] = 1
        result.link = Link.PARAMETERS
    elif sharded and leaf.dim() > 0:
        result.link = Link.PARAMETERS
    elif result.link is Link.NOTHING:
        result.link = Link.LEAF


def digest(content: Iterable[str] | bytes) -> int:
    """Return 56 bits that stand for names or states.

    Example:
        >>> digest(["a", "b"]) == digest(["a", "b"]), digest(["a", "b"]) == digest(["ab"])
        (True, False)
    """
    raw = content if isinstance(content, bytes) else "\n".join(content).encode()
    return int.from_bytes(hashlib.blake2b(raw, digest_size=7).digest(), "big")


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
