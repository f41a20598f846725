# SPDX-License-Identifier: Apache-2.0
"""A traced step in, the parts of it that lie between scores, a target and one scalar out."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice

from lightning_gradguard.metrics.operations import DIFFERS, SIZES
from lightning_gradguard.trace import FED, FREE, HARD, Call, Trace, Value

__all__ = [
    "Piece",
    "downstream",
    "hard_scalars",
    "is_data",
    "leaves_of",
    "lineage_of",
    "moment",
    "pieces",
    "upstream",
]

_MAX_TRIES = 30
_MAX_NECKS = 3
_MAX_SCALARS = 12


@dataclass(slots=True)
class Piece:
    """The part of the graph between the scores of the model, the target, and one scalar."""

    trace: Trace
    goal: Value
    scores: Value
    target: Value
    others: tuple[Value, ...]
    calls: list[Call]
    decision: Call
    inside: set[Value]
    sides: list[Value]
    first: bool = True

    def derived(self, value: Value) -> bool:
        """Say whether a value outside of the chain is made from the target."""
        return value not in self.inside and self.target in leaves_of(value, {self.target})


def pieces(trace: Trace, goal: Value) -> Iterator[Piece]:
    """Yield the ways to split what is above a scalar into scores, target and the rest."""
    above = upstream(goal)
    tried = 0
    for scores in islice(_necks(goal), _MAX_TRIES):
        inside, calls, sides = _between(trace, scores, goal, above)
        if sides is None:
            continue
        decision = next((c for c in calls if any(o.mark == HARD for o in c.outputs)), None)
        if decision is None:
            return
        targets = _targets(sides, is_data)
        targets = targets or [t for t in _targets(sides, _is_made) if _varies(trace, t[0])]
        for target, others in targets:
            yield Piece(
                trace, goal, scores, target, others, calls, decision, inside, sides, first=not tried
            )
        tried += bool(targets)
        if tried == _MAX_NECKS:
            return


def _necks(goal: Value) -> Iterator[Value]:
    """Yield the values through which all data of parameters comes to a goal, the nearest first."""
    waiting, seen = [(-moment(goal), 0, goal)], {goal}
    while waiting:
        value = heappop(waiting)[2]
        if value.kind == "param":
            return
        real = value.mark == FED and value.dtype.is_floating_point
        if not waiting and real and not _pairs_up(value):
            yield value
        for parent in _read(value):
            if parent.mark != FREE and parent not in seen:
                seen.add(parent)
                heappush(waiting, (-moment(parent), len(seen), parent))


def _pairs_up(value: Value) -> bool:
    """Say whether a value holds the differences of all pairs of scores, not scores."""
    made = value.call
    if made is None or made.name not in DIFFERS or len(made.inputs) < 2:  # noqa: PLR2004 - a pair
        return False
    size = math.prod(value.shape)
    return all(v.mark == FED and math.prod(v.shape) < size for v in made.inputs)


def _between(
    trace: Trace, scores: Value, goal: Value, above: Mapping[Value, int]
) -> tuple[set[Value], list[Call], list[Value] | None]:
    """Return values, calls and side inputs between scores and goal; no sides if others feed in."""
    inside, calls, sides = {scores}, [], dict[Value, None]()
    first = scores.call.index if scores.call is not None else 0
    for call in trace.calls[first:]:
        if inside.isdisjoint(call.inputs):
            continue
        made = [o for o in call.outputs if o in above and not inside.isdisjoint(o.parents)]
        if not made:
            continue
        inside.update(made)
        calls.append(call)
        for value in call.inputs:
            if value not in inside:
                sides[value] = None
    if goal not in inside or any(_is_fed(v, inside) for v in sides):
        return inside, calls, None
    return inside, calls, list(sides)


def _is_fed(value: Value, inside: set[Value]) -> bool:
    """Say whether data of a parameter comes into a side input from elsewhere."""
    if value.mark != FREE:
        return True
    return any(v.mark != FREE and v not in inside for v in leaves_of(value, inside))


def _targets(
    sides: Sequence[Value], counts: Callable[[Value], bool]
) -> list[tuple[Value, tuple[Value, ...]]]:
    """Return values that all use of one piece of data goes through, the earliest first.

    With each comes the other data that takes part.
    """
    roots: dict[Value, list[Value]] = {}
    for side in sides:
        for leaf in leaves_of(side, ()):
            if counts(leaf):
                roots.setdefault(leaf, []).append(side)
    most_used = sorted(roots.items(), key=lambda item: (-len(item[1]), item[0].name))
    return [
        (value, tuple(r for r in roots if r is not root))
        for root, users in most_used
        for value in _narrow(root, users)
    ]


def _is_made(leaf: Value) -> bool:
    """Say whether a leaf is a tensor that the code makes itself, as the labels of pairs are."""
    made = leaf.call is not None and leaf.call.recipe is not None
    return made and leaf.mark == FREE and math.prod(leaf.shape) > 1


def _varies(trace: Trace, value: Value) -> bool:
    """Say whether a tensor holds more than one value; else it is a constant, not a target."""
    tensor = trace.tensor_of(value)
    return tensor is None or (tensor.numel() > 1 and bool((tensor != tensor.reshape(-1)[0]).any()))


def _narrow(root: Value, users: Sequence[Value]) -> list[Value]:
    """Return the values between a leaf and its users that every way passes, the leaf first."""
    way = [v for v in lineage_of(users[0]) if v is not root and root in leaves_of(v, ())]
    way = [v for v in way if all(user is v or root not in leaves_of(user, {v}) for user in users)]
    return [root, *sorted(way, key=moment)]


def downstream(trace: Trace, start: Value) -> set[Value]:
    """Return everything that data of a value flows into, inside torch."""
    seen = {start}
    first = start.call.index if start.call is not None else 0
    for call in trace.calls[first:]:
        if not seen.isdisjoint(call.inputs):
            seen.update(o for o in call.outputs if not seen.isdisjoint(o.parents))
    return seen


def upstream(goal: Value) -> dict[Value, int]:
    """Return the values that flow into another one -> distance."""
    seen, wave, distance = {goal: 0}, [goal], 0
    while wave:
        distance += 1
        wave = [
            p
            for v in wave
            for p in _read(v)
            if p not in seen and seen.setdefault(p, distance) == distance
        ]
    return seen


def _read(value: Value) -> tuple[Value, ...]:
    """Return what the call that made a value has read; a written view also reads what it held."""
    return (
        value.parents
        if value.call is None
        else tuple(dict.fromkeys((*value.parents, *value.call.inputs)))
    )


def hard_scalars(
    trace: Trace, below: set[Value], above: Mapping[Value, int], goal: Value | None
) -> list[Value]:
    """Return the cut-off scalars on the way to the goal or out of torch, the nearest first."""
    if goal is not None and goal in below:
        open_ = _upstream_of_sizes(goal)
        inside = [v for v in below if v in open_ and v.mark == HARD and _is_scalar(v)]
        return sorted(inside, key=lambda v: (above[v], moment(v)))[:_MAX_SCALARS]
    leaving = [c.inputs[0] for c in trace.calls if c.is_exit and c.inputs and c.inputs[0] in below]
    last = [v for v in dict.fromkeys(reversed(leaving)) if v.mark == HARD and _is_scalar(v)]
    return last[:_MAX_SCALARS]


def _upstream_of_sizes(goal: Value) -> set[Value]:
    """Return what flows into a goal, but not by way of the size of a number, which is no metric."""
    seen, stack = {goal}, [goal]
    while stack:
        value = stack.pop()
        is_size = value.call is not None and value.call.name in SIZES and _is_scalar(value)
        for parent in () if is_size else _read(value):
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return seen


def _is_scalar(value: Value) -> bool:
    return math.prod(value.shape) == 1


def moment(value: Value) -> int:
    """Return the number of the call that made a value, -1 for what was there before."""
    return value.call.index if value.call is not None else -1


def leaves_of(value: Value, stop: Iterable[Value]) -> set[Value]:
    """Return the leaves above a value, walking no further than `stop`; those met are among them."""
    ends, seen, stack, leaves = set(stop), {value}, [value], set()
    while stack:
        current = stack.pop()
        below = current.parents
        if current in ends or not below:
            leaves.add(current)
            continue
        for parent in below:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return leaves


def is_data(leaf: Value) -> bool:
    """Say whether a leaf holds data, not a constant that the code makes."""
    if leaf.call is not None:
        return leaf.call.recipe is None and leaf.call.func is not None
    return leaf.kind in {"batch", "unknown"} and leaf.mark == FREE


def lineage_of(value: Value) -> list[Value]:
    """Return a value and all that it is made from."""
    seen, stack = {value}, [value]
    while stack:
        current = stack.pop()
        for parent in current.parents:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return list(seen)
