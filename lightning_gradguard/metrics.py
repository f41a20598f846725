# SPDX-License-Identifier: Apache-2.0
"""Recognise the metric that a cut chain computes, from what the chain does and not from its names.

The recorded calls between the model's scores, the target and the cut-off number are run again on a
few random batches, and the results are compared with the formulas of common metrics. What agrees on
all of them is that metric, however it was written. Chains that leave torch are compared by the
numbers of the traced batch and by the library functions that the source text calls.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard import libraries
from lightning_gradguard.lineage import Cut
from lightning_gradguard.rerun import Unreplayable, replay
from lightning_gradguard.scores import Row, Sample, rows
from lightning_gradguard.source import Stack
from lightning_gradguard.trace import FED, FREE, HARD, Call, Slot, Trace, Value, domain_of

__all__ = ["Metric", "beside", "recognise"]

_DRAWS = 8
_MIN_DRAWS = 5
_EXACT, _CLOSE = 1e-4, 0.04
_MAX_TRIES = 30
_MAX_SCALARS = 12
_MAX_BESIDE = 4
_MAX_BESIDE_TRIES = 24
_MAX_WORK = 40_000  # operations that are run again for one number
_SQUARE = 2
_MAX_VALUES = 1 << 22  # of scores, of which random ones are drawn
_LABELS = frozenset({"argmax", "argmin", "max", "min"})
_COMPARES = frozenset(
    [
        "gt",
        "ge",
        "lt",
        "le",
        "greater",
        "greater_equal",
        "less",
        "less_equal",
        "__gt__",
        "__ge__",
        "__lt__",
        "__le__",
    ]
)
_AGREES = frozenset(["eq", "ne", "__eq__", "__ne__", "not_equal", "equal", "isclose"])
_DIFFERS = frozenset(
    [
        "ne",
        "__ne__",
        "not_equal",
        "sub",
        "__sub__",
        "__rsub__",
        "rsub",
        "logical_xor",
        "__xor__",
        "bitwise_xor",
    ]
)
_ROUNDS = frozenset({"round", "round_"})
_SIGNS = frozenset({"sign", "sgn", "sign_", "heaviside"})
_INTEGERS = frozenset(
    [
        "long",
        "int",
        "short",
        "to",
        "type",
        "type_as",
        "floor",
        "ceil",
        "trunc",
        "fix",
        "round",
        "floor_",
        "ceil_",
    ]
)
_STEPS = frozenset(["floor", "ceil", "trunc", "fix", "round", "floor_", "ceil_", "round_"])
_LOGS = frozenset(
    [
        "log",
        "log10",
        "log2",
        "log1p",
        "exp",
        "expm1",
        "logsumexp",
        "log_",
        "exp_",
        "sigmoid",
        "tanh",
        "softmax",
        "log_softmax",
    ]
)
_PRODUCTS = frozenset(["mul", "__mul__", "__rmul__", "multiply", "mul_"])
_POWERS = frozenset({"pow", "__pow__"})
_BELOW = frozenset(["lt", "le", "less", "less_equal", "__lt__", "__le__"])
_BITS = frozenset({"binary", "multilabel", "channels"})
_How = tuple[str, int | None]
_ORDERS = frozenset({"argsort", "sort", "topk", "msort"})
_IGNORED_LABELS = (-100, -1, 255)


@dataclass(frozen=True, slots=True)
class Metric:
    """A recognised metric.

    Attributes:
        name: torchmetrics class.
        arguments: its arguments.
        scores: value of the model that goes in, `None` where unknown.
        target: value that it is compared with.
        decision: the call that makes hard predictions.
        value: the scalar that is a multiple of the metric, plus a constant.
        scale: factor and constant of that.
        same: whether these arguments reproduce the number of the traced batch, `None` if unchecked.
        kind: what the predictions are, as in `Sample.kind`.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    scores: Value | None = None
    target: Value | None = None
    decision: Call | None = None
    value: Value | None = None
    scale: tuple[float, float] = (1.0, 0.0)
    same: bool | None = None
    kind: str = ""

    @property
    def call(self) -> str:
        """Return the constructor call, as in `MulticlassAccuracy(num_classes=10)`."""
        shown = {k: v for k, v in self.arguments.items() if k != "note"}
        inner = ", ".join(
            f'{k}="{v}"' if isinstance(v, str) else f"{k}={v!r}" for k, v in shown.items()
        )
        return f"{self.name}({inner})"

    @property
    def note(self) -> str:
        """Return how the user's convention differs from torchmetrics, `""` where it does not."""
        return str(self.arguments.get("note", ""))


def recognise(trace: Trace, cut: Cut, goal: Value | None) -> Metric | None:
    """Return the metric that a cut chain computes on its way to `goal`, if there is one.

    Args:
        trace: the record of the step; the check against the user's number needs what it holds.
        cut: where the gradient was lost.
        goal: the loss or the term of it, `None` where that is a plain number.

    Cost: some milliseconds; only paid when a finding is made.
    """
    if goal is not None and goal.dtype.is_complex:
        return None
    below: set[Value] = _below(trace, cut.output) if cut.output is not None else set()
    above: dict[Value, int] = _above(goal) if goal is not None else {}
    named = _of_library(trace, cut, below, above)
    if named is not None:
        return named
    inside = goal is not None and goal in below
    outer = None if inside else _outside(trace, cut, below, goal)
    if outer is not None and outer.same:
        return outer
    for value in _scalars(trace, below, above, goal):
        found = _of_scalar(trace, value)
        if found is not None and (inside or _explains(trace, found, goal)):
            return found
    return outer or (_outside(trace, cut, below, goal) if inside else None)


def _explains(trace: Trace, found: Metric, goal: Value | None) -> bool:
    """Say whether a number that came back from plain Python may be made from the metric alone."""
    number = trace.tensor_of(goal) if goal is not None else None
    shown = trace.tensor_of(found.value) if found.value is not None else None
    if number is None or shown is None or number.numel() != 1 or not found.scale[0]:
        return True
    metric = (float(shown) - found.scale[1]) / found.scale[0]
    factors = [float(number) / m for m in (metric, 1 - metric) if abs(m) > 1e-6]  # noqa: PLR2004
    return any(abs(f - round(f, 2)) < 1e-5 for f in factors)  # noqa: PLR2004 - a weight that people write


def beside(trace: Trace, goal: Value | None) -> list[Metric]:
    """Return the metrics that a step computes without using them in its loss.

    Args:
        trace: the record of the step.
        goal: the loss.
    """
    above = _above(goal) if goal is not None else {}
    covered: set[Value] = set()
    found: list[Metric] = []
    tries = 0
    for call in reversed(trace.calls):
        for value in call.outputs:
            open_ = len(found) < _MAX_BESIDE and tries < _MAX_BESIDE_TRIES
            if open_ and value not in covered and _is_beside(value, above):
                tries += 1
                metric = _of_scalar(trace, value)
                if metric is not None and metric.note == "":
                    found.append(metric)
                    covered |= _above(value).keys()
    return found[::-1]


def _is_beside(value: Value, above: Mapping[Value, int]) -> bool:
    """Say whether a value is a single hard number outside of the loss."""
    library = value.call is not None and value.call.library
    return value.mark == HARD and not value.shape and value not in above and not library


# -- the graph


def _below(trace: Trace, start: Value) -> set[Value]:
    """Return everything that data of a value flows into, inside torch."""
    seen = {start}
    first = start.call.index if start.call is not None else 0
    for call in trace.calls[first:]:
        if not seen.isdisjoint(call.inputs):
            seen.update(o for o in call.outputs if not seen.isdisjoint(o.parents))
    return seen


def _above(goal: Value) -> dict[Value, int]:
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


def _scalars(
    trace: Trace, below: set[Value], above: Mapping[Value, int], goal: Value | None
) -> list[Value]:
    """Return the cut-off scalars on the way to the goal or out of torch, the nearest first."""
    if goal is not None and goal in below:
        inside = [v for v in below if v in above and v.mark == HARD and _is_scalar(v)]
        return sorted(inside, key=lambda v: (above[v], _order(v)))[:_MAX_SCALARS]
    leaving = [c.inputs[0] for c in trace.calls if c.is_exit and c.inputs and c.inputs[0] in below]
    last = [v for v in dict.fromkeys(reversed(leaving)) if v.mark == HARD and _is_scalar(v)]
    return last[:_MAX_SCALARS]


def _is_scalar(value: Value) -> bool:
    return math.prod(value.shape) == 1


def _order(value: Value) -> int:
    return value.call.index if value.call is not None else -1


@dataclass(slots=True)
class _Piece:
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

    def derived(self, value: Value) -> bool:
        """Say whether a value outside of the chain is made from the target."""
        return value not in self.inside and self.target in _sources(value, {self.target})


def _of_scalar(trace: Trace, goal: Value) -> Metric | None:
    """Recognise the metric of which one scalar is a linear function."""
    best: tuple[float, Metric] | None = None
    work = 0
    for piece in _pieces(trace, goal):
        for how in _kinds(piece):
            work += _DRAWS * len(piece.calls)
            if work > _MAX_WORK:
                return best[1] if best is not None else None
            found = _fit(piece, how)
            if found is not None and (best is None or found[0] < best[0]):
                best = found
        if best is not None and best[0] < _EXACT:
            return best[1]
    return best[1] if best is not None else None


def _pieces(trace: Trace, goal: Value) -> Iterator[_Piece]:
    """Yield the ways to split what is above a scalar into scores, target and the rest."""
    above = _above(goal)
    fed = [v for v in above if v.mark == FED and v.kind != "param" and v.dtype.is_floating_point]
    fed.sort(key=_order, reverse=True)
    for scores in fed[:_MAX_TRIES]:
        inside, calls, sides = _between(trace, scores, goal, above)
        if sides is None:
            continue
        decision = next((c for c in calls if any(o.mark == HARD for o in c.outputs)), None)
        if decision is None:
            return
        targets = list(_targets(sides))
        for target, others in targets:
            yield _Piece(trace, goal, scores, target, others, calls, decision, inside, sides)
        if targets:
            return


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
    return any(v.mark != FREE and v not in inside for v in _sources(value, inside))


def _sources(value: Value, stop: Iterable[Value]) -> set[Value]:
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


def _is_data(leaf: Value) -> bool:
    """Say whether a leaf holds data, not a constant that the code makes."""
    if leaf.call is not None:
        return leaf.call.recipe is None and leaf.call.func is not None
    return leaf.kind in {"batch", "unknown"} and leaf.mark == FREE


def _targets(sides: Sequence[Value]) -> Iterator[tuple[Value, tuple[Value, ...]]]:
    """Yield values that all use of one piece of data goes through, the earliest first.

    With each comes the other data that takes part.
    """
    roots: dict[Value, list[Value]] = {}
    for side in sides:
        for leaf in _sources(side, ()):
            if _is_data(leaf):
                roots.setdefault(leaf, []).append(side)
    for root, users in sorted(roots.items(), key=lambda item: (-len(item[1]), item[0].name)):
        for value in _narrow(root, users):
            yield value, tuple(r for r in roots if r is not root)


def _narrow(root: Value, users: Sequence[Value]) -> list[Value]:
    """Return the values between a leaf and its users that every way passes, the leaf first."""
    way = [v for v in _lineage_of(users[0]) if v is not root and root in _sources(v, ())]
    way = [v for v in way if all(user is v or root not in _sources(user, {v}) for user in users)]
    return [root, *sorted(way, key=_order)]


def _lineage_of(value: Value) -> list[Value]:
    seen, stack = {value}, [value]
    while stack:
        current = stack.pop()
        for parent in current.parents:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return list(seen)


# -- what the predictions are


def _kinds(piece: _Piece) -> list[_How]:  # noqa: PLR0911 - one return a kind
    """Return the kinds of prediction that the decision may make, each with its number.

    That is how many of the best count, or the label that is left out.
    """
    name, decision = piece.decision.name, piece.decision
    hard = next(o for o in decision.outputs if o.mark == HARD)
    if hard.dtype is torch.uint8:
        return [("image", 1)]
    if name in _LABELS and not hard.dtype.is_floating_point and hard.dtype is not torch.bool:
        return _label_kinds(piece)
    if name in _ORDERS:
        best = _shortest(piece, hard)
        return (
            [*_label_kinds(piece), ("rank", 1)] if best == 1 else [("topk", best), ("rank", best)]
        )
    if name in _COMPARES:
        fed = [v for v in decision.inputs if v in piece.inside]
        if len(fed) > 1:
            return [("rank", 1)]
    if name in _COMPARES or name in _SIGNS or name == "bool" or hard.dtype is torch.bool:
        return [*_bit_kinds(piece, hard), ("rank", 1)]
    if name in _INTEGERS:
        if _is_two_valued(piece):
            return _bit_kinds(piece, hard)
        return (
            [] if any(_is_binned(v) for v in piece.sides if piece.derived(v)) else [("integer", 1)]
        )
    return []


def _label_kinds(piece: _Piece) -> list[_How]:
    """Return labels, without the one that the target is masked by."""
    inner = {
        n
        for call in _comparisons(piece)
        for n in _whole_numbers(call)
        if 0 <= n < _classes(piece) and call.name in _AGREES
    }
    return [
        ("label", _ignored_label(piece)),
        *([("label", inner.pop())] if len(inner) == 1 else []),
    ]


def _shortest(piece: _Piece, hard: Value) -> int:
    """Return how many of the sorted positions are used."""
    lengths = [
        v.shape[-1] for v in piece.inside if v.mark == HARD and v.shape and v.dtype is torch.int64
    ]
    kept = [n for n in lengths if n and len(hard.shape) > 0]
    return min(kept, default=1)


def _bit_kinds(piece: _Piece, hard: Value) -> list[_How]:
    if math.prod(hard.shape) != math.prod(piece.target.shape):
        return []
    shape = piece.target.shape if len(piece.target.shape) == len(hard.shape) else hard.shape
    many = len(shape) == 2 and shape[-1] > 1  # noqa: PLR2004 - samples and labels
    if len(shape) > 2 and shape[1] > 1 and piece.target.shape == hard.shape:  # noqa: PLR2004
        return [("channels", 1), ("binary", 1)]
    return [("multilabel", 1)] if many else [("binary", 1)]


def _is_binned(side: Value) -> bool:
    """Say whether the user's code has put the target into classes as well."""
    made = [v for v in _lineage_of(side) if v.call is not None and v.call.name in _INTEGERS]
    return any(v.call is not None and _loses_fraction(v, v.call) for v in made)


def _loses_fraction(value: Value, call: Call) -> bool:
    cast = (
        not value.dtype.is_floating_point and call.inputs and call.inputs[0].dtype.is_floating_point
    )
    return bool(cast) or call.name in _STEPS


def _is_two_valued(piece: _Piece) -> bool:
    known = _domain(piece)
    return known == "bits" if known else piece.decision.name in _ROUNDS


def _domain(piece: _Piece) -> str:
    """Return what the values of the target are, `""` where that is not known."""
    if piece.target.dtype is torch.bool:
        return "bits"
    real = piece.trace.tensor_of(piece.target)
    return domain_of(real) if real is not None else piece.trace.domains.get(piece.target, "")


# -- random batches


def _draw(piece: _Piece, kind: str, seed: int) -> dict[Value, Tensor]:
    """Return random scores and a random target in their usual domains."""
    source = torch.Generator().manual_seed(seed)
    target = _draw_target(piece, kind, source)
    scores = _draw_scores(piece, kind, target, source, 0.3 * seed)
    given = {piece.scores: scores, piece.target: target}
    for other in piece.others:
        given[other] = _neutral(piece, other)
    device = _device(piece)
    return {value: tensor.to(device) for value, tensor in given.items()}


def _device(piece: _Piece) -> torch.device:
    held = [t for v in (piece.target, piece.scores) if (t := piece.trace.tensor_of(v)) is not None]
    return held[0].device if held else torch.device("cpu")


def _neutral(piece: _Piece, other: Value) -> Tensor:
    real = piece.trace.tensor_of(other)
    if real is not None and not (other.dtype is torch.bool or other.dtype.is_floating_point):
        return real
    return torch.ones(other.shape, dtype=other.dtype)


def _draw_target(piece: _Piece, kind: str, source: torch.Generator) -> Tensor:
    value = piece.target
    if kind in {"label", "topk"} and not _is_multi_hot(piece, kind):
        return _draw_labels(piece, source)
    graded = _is_multi_hot(piece, kind) and not _has_only_bits(piece)
    if graded:
        return torch.randint(0, 4, value.shape, generator=source).to(value.dtype)
    if kind in _BITS or value.dtype is torch.bool or _is_multi_hot(piece, kind):
        bits = torch.rand(value.shape, generator=source) < 0.45  # noqa: PLR2004 - uneven classes tell metrics apart
        signed = piece.decision.name in {"sign", "sgn", "sign_"} or _domain(piece) == "signs"
        return (2 * bits.float() - 1 if signed else bits).to(value.dtype)
    if kind == "rank":
        return _draw_ranked(piece, source)
    most = 254 if kind == "image" else 9
    return (torch.rand(value.shape, generator=source) * most + 1).round().to(value.dtype)


def _has_only_bits(piece: _Piece) -> bool:
    return _domain(piece) in {"", "bits"}


def _is_multi_hot(piece: _Piece, kind: str) -> bool:
    return kind == "topk" and piece.target.shape == piece.scores.shape


def _draw_labels(piece: _Piece, source: torch.Generator) -> Tensor:
    value, count = piece.target, _classes(piece)
    if (
        value.shape == piece.scores.shape
        and len(value.shape) > 1
        and count > 1
        and _is_one_hot(piece)
    ):
        labels = torch.randint(0, count, _without(value.shape, _dim(piece)), generator=source)
        hot = torch.nn.functional.one_hot(labels, count)
        return hot.movedim(-1, _dim(piece)).to(value.dtype)
    labels = torch.randint(0, max(count, 2), value.shape, generator=source)
    ignored = _ignored_label(piece)
    if ignored is not None:
        labels[torch.rand(value.shape, generator=source) < 0.2] = ignored  # noqa: PLR2004
    return labels.to(value.dtype)


def _is_one_hot(piece: _Piece) -> bool:
    shape = _without(piece.scores.shape, _dim(piece))
    return math.prod(shape) != math.prod(piece.target.shape)


def _draw_ranked(piece: _Piece, source: torch.Generator) -> Tensor:
    value, known = piece.target, _domain(piece)
    if value.shape != piece.scores.shape and not value.dtype.is_floating_point:
        count = piece.scores.shape[-1] if piece.scores.shape else 2
        return torch.randint(0, count, value.shape, generator=source).to(value.dtype)
    if known == "bits":
        return (torch.rand(value.shape, generator=source) < 0.5).to(value.dtype)  # noqa: PLR2004
    if known == "integers" or not value.dtype.is_floating_point:
        return torch.randint(0, 4, value.shape, generator=source).to(value.dtype)
    return torch.randn(value.shape, generator=source).to(value.dtype)


def _draw_scores(
    piece: _Piece, kind: str, target: Tensor, source: torch.Generator, pull: float
) -> Tensor:
    shape, name = piece.scores.shape, piece.decision.name
    noise = torch.randn(shape, generator=source)
    toward = _toward(piece, kind, target)
    mixed = noise + pull * toward if toward is not None else noise
    if kind == "image":
        mixed = 255 * torch.rand(shape, generator=source)
    elif kind == "integer":
        mixed = (
            target.reshape(shape).double() if target.numel() == mixed.numel() else 5
        ) + 2 * noise
    elif kind in _BITS or name in _COMPARES:
        mixed = _around(piece, mixed)
    return mixed.to(piece.scores.dtype)


def _toward(piece: _Piece, kind: str, target: Tensor) -> Tensor | None:
    """Return a direction in which the predictions agree with the target."""
    if kind in {*_BITS, "rank"} and target.numel() == math.prod(piece.scores.shape):
        aim = target.reshape(piece.scores.shape).float()
        return aim - aim.mean()
    if kind == "label":
        count = _classes(piece)
        labels = _labels_of(piece, target)
        shape = _without(piece.scores.shape, _dim(piece))
        if labels.numel() == math.prod(shape):
            hot = torch.nn.functional.one_hot(
                labels.long().clamp(0, count - 1).reshape(shape), count
            )
            return hot.movedim(-1, _dim(piece)).float()
    return None


def _around(piece: _Piece, noise: Tensor) -> Tensor:
    """Spread scores over both sides of the threshold of the decision."""
    name = piece.decision.name
    if piece.scores not in piece.decision.inputs:
        return noise
    if name in _ROUNDS:
        return torch.sigmoid(noise)
    if name == "bool":
        return noise.relu()
    if name in _SIGNS:
        return noise
    threshold = _threshold(piece)
    return threshold + (0.5 * threshold if threshold else 1.0) * torch.tanh(noise)


def _threshold(piece: _Piece) -> float:
    """Return the constant that the decision compares with."""
    recipe = piece.decision.recipe
    parts = [*recipe[0], *recipe[1].values()] if recipe is not None else []
    numbers = [p for p in parts if isinstance(p, (int, float)) and not isinstance(p, (Slot, bool))]
    if numbers:
        return float(numbers[0])
    for value in piece.decision.inputs:
        real = piece.trace.tensor_of(value)
        if value not in piece.inside and real is not None and real.numel():
            return float(real.float().mean())
    return 0.5 if piece.decision.name in _ROUNDS else 0.0


def _dim(piece: _Piece) -> int:
    """Return the dimension over which the decision picks."""
    recipe = piece.decision.recipe
    args, keywords = recipe if recipe is not None else ((), {})
    given = keywords.get("dim", keywords.get("axis"))
    if given is None:
        place = 2 if piece.decision.name == "topk" else 1
        given = args[place] if len(args) > place and isinstance(args[place], int) else -1
    size = len(piece.scores.shape)
    return given % size if size and isinstance(given, int) and not isinstance(given, bool) else 0


def _classes(piece: _Piece) -> int:
    return piece.scores.shape[_dim(piece)] if piece.scores.shape else 1


def _without(shape: Sequence[int], dim: int) -> tuple[int, ...]:
    return (*shape[:dim], *shape[dim + 1 :])


def _ignored_label(piece: _Piece) -> int | None:
    """Return the constant that the target is compared with to leave positions out."""
    count = _classes(piece)
    for call in _comparisons(piece):
        numbers = _whole_numbers(call)
        if call.name in _AGREES and any(n < 0 or n >= count for n in numbers):
            return next(n for n in numbers if n < 0 or n >= count)
        if call.name in {"ge", "__ge__", "gt", "__gt__"} and numbers and numbers[0] in {0, -1}:
            return -1
    return None


def _comparisons(piece: _Piece) -> Iterator[Call]:
    """Yield the comparisons of the target with constants."""
    for value in piece.inside | {p for c in piece.calls for p in c.inputs}:
        for call in _calls_above(value, piece):
            if call.name in _AGREES | _COMPARES and call.recipe and piece.derived(call.inputs[0]):
                yield call


def _whole_numbers(call: Call) -> list[int]:
    parts = call.recipe[0] if call.recipe is not None else ()
    return [p for p in parts if isinstance(p, int) and not isinstance(p, (Slot, bool))]


def _calls_above(value: Value, piece: _Piece) -> Iterator[Call]:
    """Yield the calls that make a side input from the target."""
    stack, seen = [value], {value}
    while stack:
        current = stack.pop()
        call = current.call
        if call is None or current in piece.inside or current is piece.target:
            continue
        yield call
        for parent in call.inputs:
            if parent not in seen:
                seen.add(parent)
                stack.append(parent)


# -- fitting


def _fit(piece: _Piece, how: _How) -> tuple[float, Metric] | None:
    """Return the metric that explains the scalar on every random batch, with what is left over."""
    kind = how[0]
    if kind in {"label", "topk", "channels", *_BITS} and any(_takes_logs(c) for c in piece.calls):
        return None  # a loss that is made from decisions, not a share of them
    if max(math.prod(v.shape) for v in (piece.scores, piece.target)) > _MAX_VALUES:
        return None
    numbers: list[float] = []
    tables: list[dict[str, Row]] = []
    try:
        for seed in range(1, _DRAWS + 1):
            given = _draw(piece, kind, seed)
            number = float(replay(piece.trace, piece.goal, given))
            if math.isfinite(number):
                numbers.append(number)
                tables.append(_table(piece, how, given))
    except (Unreplayable, RuntimeError, IndexError, ValueError, TypeError):
        return None
    if len(numbers) < _MIN_DRAWS or max(numbers) - min(numbers) < 1e-9:  # noqa: PLR2004
        return None
    best = _choose(numbers, tables)
    return (best[0], _named(piece, best, tables[0], how)) if best is not None else None


def _takes_logs(call: Call) -> bool:
    """Say whether a call bends hard values, as a loss does and a share does not."""
    return call.name in _LOGS and any(v.mark == HARD for v in call.inputs)


def _table(piece: _Piece, how: _How, given: Mapping[Value, Tensor]) -> dict[str, Row]:
    sample = _sample(piece, how, given)
    return {
        f"{name}{arguments}": (name, arguments, value) for name, arguments, value in rows(sample)
    }


def _sample(piece: _Piece, how: _How, given: Mapping[Value, Tensor]) -> Sample:
    """Return the two sides of the metric for given scores and target."""
    kind, number = how
    target, scores = given[piece.target], given[piece.scores]
    if kind == "rank":
        return Sample(kind, scores, _fit_shape(target, scores.shape), top_k=_cutoff(piece))
    hard = next(o for o in piece.decision.outputs if o.mark == HARD)
    preds = given[hard] if hard in given else replay(piece.trace, hard, given)
    if kind == "topk":
        best = preds.movedim(_dim(piece), -1)[..., : number or 1]
        return Sample(kind, best, target, _classes(piece), number or 1)
    if kind == "label":
        if piece.decision.name in _ORDERS:
            preds = preds.select(_dim(piece), 0)
        labels = _labels_of(piece, target)
        overlap = _doubles(piece) and not _compares(piece)
        return Sample(
            kind, preds.reshape(labels.shape), labels, _classes(piece), 1, number, overlap=overlap
        )
    return _bit_sample(piece, kind, preds, scores, target)


def _bit_sample(piece: _Piece, kind: str, preds: Tensor, scores: Tensor, target: Tensor) -> Sample:
    """Return bits; those of scores below a threshold are turned around."""
    decision = piece.decision
    if any(
        piece.target in _sources(v, {piece.target}) for v in decision.inputs if v in piece.inside
    ):
        preds = scores > 0  # a margin: the sign of scores times target
    elif decision.name in _BELOW and decision.inputs and decision.inputs[0] in piece.inside:
        preds = (preds == 0).to(preds.dtype)
    overlap = not _compares(piece)
    if kind == "channels":
        preds, target = (t.movedim(1, -1).flatten(0, -2) for t in (preds, target))
        return Sample("multilabel", preds, target, overlap=overlap)
    shape = preds.shape if kind == "multilabel" else target.shape
    return Sample(kind, preds.reshape(shape), target.reshape(shape), overlap=overlap)


def _fit_shape(target: Tensor, shape: Sequence[int]) -> Tensor:
    return target.reshape(tuple(shape)) if target.numel() == math.prod(shape) else target


def _labels_of(piece: _Piece, target: Tensor) -> Tensor:
    if target.shape == tuple(piece.scores.shape) and len(target.shape) > 1 and _is_one_hot(piece):
        return target.argmax(_dim(piece))
    return target


def _cutoff(piece: _Piece) -> int:
    """Return the length to which a ranking is cut, 0 for the whole."""
    full = piece.scores.shape[-1] if piece.scores.shape else 0
    lengths = [
        v.shape[-1] for v in piece.inside if v.shape and v.mark == HARD and 1 < v.shape[-1] < full
    ]
    return min(lengths, default=0)


def _compares(piece: _Piece) -> bool:
    """Say whether predictions and target meet in a comparison."""
    return any(c.name in _AGREES and _meets(piece, c) for c in piece.calls)


def _doubles(piece: _Piece) -> bool:
    """Say whether something is multiplied by 2, as the intersection is in F1 and Dice."""
    products = [c.recipe[0] for c in piece.calls if c.name in _PRODUCTS and c.recipe is not None]
    return any(p in (2, 2.0) and not isinstance(p, Slot) for args in products for p in args)


def _meets(piece: _Piece, call: Call) -> bool:
    return any(v in piece.inside for v in call.inputs) and any(
        piece.derived(v) for v in call.inputs
    )


def _choose(
    numbers: Sequence[float], tables: Sequence[Mapping[str, Row]]
) -> tuple[float, str, float, float] | None:
    """Return `(residual, key, factor, constant)` of the best fit, the first among equals."""
    best: tuple[float, str, float, float] | None = None
    for key in tables[0]:
        values = [t[key][2] for t in tables if key in t]
        if len(values) < len(numbers):
            continue
        residual, factor, constant = _line(values, numbers)
        if residual < _EXACT:
            return residual, key, factor, constant
        if residual < _CLOSE and (best is None or residual < 0.8 * best[0]):
            best = residual, key, factor, constant
    return best


def _line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Fit `y = factor * x + constant`; the residual is the largest, by the spread of `y`."""
    count = len(x)
    mean_x, mean_y = sum(x) / count, sum(y) / count
    below = sum((a - mean_x) ** 2 for a in x)
    if not below > 1e-12 or not math.isfinite(below):  # noqa: PLR2004
        return math.inf, 0.0, 0.0
    factor = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / below
    constant = mean_y - factor * mean_x
    worst = max(abs(b - factor * a - constant) for a, b in zip(x, y, strict=True))
    return worst / (max(y) - min(y)), factor, constant


def _named(
    piece: _Piece,
    best: tuple[float, str, float, float],
    table: Mapping[str, Row],
    how: _How,
) -> Metric:
    kind = "multilabel" if how[0] == "channels" else how[0]
    residual, key, factor, constant = best
    name, arguments, _ = table[key]
    if name == "MultilabelAccuracy" and any(
        c.name in _DIFFERS and _meets(piece, c) for c in piece.calls
    ):
        name, factor, constant = "MultilabelHammingDistance", -factor, constant + factor
    same = (
        _check(piece, how, key, best[2:])
        if residual < _EXACT and "note" not in arguments
        else False
    )
    if kind in _BITS:
        arguments = arguments | _threshold_argument(piece)
    return Metric(
        name,
        arguments,
        piece.scores,
        piece.target,
        piece.decision,
        piece.goal,
        (factor, constant),
        same,
        kind,
    )


def _threshold_argument(piece: _Piece) -> dict[str, float]:
    if piece.decision.name not in _COMPARES:
        return {}
    threshold = _threshold(piece)
    return {"threshold": threshold} if 0 < threshold < 1 and threshold != 0.5 else {}  # noqa: PLR2004


def _check(piece: _Piece, how: _How, key: str, scale: tuple[float, float]) -> bool | None:
    """Say whether the metric gives the user's number on the traced batch."""
    number, target = piece.trace.tensor_of(piece.goal), piece.trace.tensor_of(piece.target)
    scores = piece.trace.tensor_of(piece.scores)
    if number is None or target is None or scores is None:
        return None
    try:
        row = _table(piece, how, {piece.scores: scores, piece.target: target}).get(key)
    except (Unreplayable, RuntimeError, IndexError, ValueError, TypeError):
        return None
    return row is not None and math.isclose(
        scale[0] * row[2] + scale[1], float(number), rel_tol=1e-4, abs_tol=1e-5
    )


# -- library metrics


def _of_library(
    trace: Trace, cut: Cut, below: set[Value], above: Mapping[Value, int]
) -> Metric | None:
    """Name a torchmetrics class or function whose frames the chain passes through."""
    calls = [
        cut.call,
        *(
            c
            for c in trace.calls[cut.call.index :]
            if any(o in below and o in above for o in c.outputs)
        ),
    ]
    name = next((c.library for c in calls if c.library), "")
    return Metric(libraries.class_of(name), scores=cut.value) if name else None


# -- values outside of torch


def _outside(trace: Trace, cut: Cut, below: set[Value], goal: Value | None) -> Metric | None:
    """Recognise a metric that is computed by numpy, by a library or in plain Python."""
    exits = [
        c for c in trace.calls if c.is_exit and c.inputs and (c.inputs[0] in below or c is cut.call)
    ]
    exits = [c for c in exits if c.name not in {"__bool__", "__format__"}]
    if not exits:
        return None
    above = _above(goal) if goal is not None else {}
    later = (c for c in trace.calls[exits[0].index :] if any(o in above for o in c.outputs))
    library = next((c.library for c in later if c.library), "")
    if library:
        return Metric(libraries.class_of(library), scores=cut.value)
    sides = list(_outer_samples(trace, cut, exits, below))
    stacks = [c.stack for c in (*exits, cut.call)]
    arrays = any(c.inputs[0].shape for c in exits)
    named = libraries.in_source(stacks) if arrays else ""
    if named:
        return _outer_named(named, cut, sides)
    number = trace.tensor_of(goal) if goal is not None else None
    if number is None or number.numel() != 1 or not math.isfinite(float(number)):
        return None
    for leaving in exits:
        found = _of_function(leaving, float(number))
        if found is not None:
            return found
    return _by_number(float(number), cut, sides, stacks)


def _outer_samples(
    trace: Trace, cut: Cut, exits: Sequence[Call], below: set[Value]
) -> Iterator[tuple[Sample, Value, Value]]:
    """Yield predictions and targets of the traced batch that fit together."""
    mine = dict.fromkeys(
        [
            *(v for v in below if v.mark == HARD and _is_integral(v)),
            *(c.inputs[0] for c in exits),
            cut.value,
        ]
    )
    preds = [v for v in mine if v.shape and trace.tensor_of(v) is not None]
    targets = [
        v
        for v in trace.kept
        if v.mark == FREE and v.shape and any(_is_data(s) for s in _sources(v, ()))
    ]
    for value in sorted(preds, key=lambda v: (not _is_integral(v), _order(v))):
        for target in sorted(targets, key=_order, reverse=True):
            real, aim = trace.tensor_of(value), trace.tensor_of(target)
            if real is not None and aim is not None:
                yield from ((s, value, target) for s in _pair(real, aim, value))


def _pair(preds: Tensor, target: Tensor, value: Value) -> Iterator[Sample]:
    if target.numel() < 2:  # noqa: PLR2004 - nothing to compare
        return
    if _is_table(preds, target):
        dim = 1 if preds.shape[2:] == target.shape[1:] else -1
        labels = preds.argmax(dim).reshape(target.shape)
        yield Sample("label", labels, target, preds.shape[dim])
    if preds.numel() != target.numel():
        return
    target = target.reshape(preds.shape)
    two = bool(((target == 0) | (target == 1)).all())
    hard = not preds.dtype.is_floating_point or bool(((preds == 0) | (preds == 1)).all())
    if (hard and not two and not target.dtype.is_floating_point) or (hard and _picks(value)):
        count = value.call.inputs[0].shape[-1] if _picks(value) and value.call is not None else 0
        count = max(count, int(target.max()) + 1, int(preds.max()) + 1)
        yield Sample("label", preds, target, count, overlap=count == 2)  # noqa: PLR2004
        if preds.dim() == 2:  # noqa: PLR2004 - rows of symbols
            yield Sample("text", preds, target)
    elif hard and two:
        many = preds.dim() == 2 and preds.shape[-1] > 1  # noqa: PLR2004
        yield Sample("multilabel" if many else "binary", preds, target, overlap=True)
    elif two:
        bits = preds > 0.5  # noqa: PLR2004 - the usual threshold of probabilities
        yield Sample("binary", bits, target, overlap=True)
        yield Sample("binary", preds > 0, target, overlap=True)
        yield Sample("rank", preds, target)
    else:
        yield Sample("rank", preds, target)
        yield Sample("number", preds, target)


def _is_table(preds: Tensor, target: Tensor) -> bool:
    """Say whether the predictions have one dimension more, that of the classes."""
    if (
        preds.dim() != target.dim() + 1
        or not preds.dtype.is_floating_point
        or target.dtype.is_floating_point
    ):
        return False
    shape = tuple(target.shape)
    return tuple(preds.shape[:-1]) == shape or (preds.shape[0], *preds.shape[2:]) == shape


def _picks(value: Value) -> bool:
    return value.call is not None and value.call.name in _LABELS


def _is_integral(value: Value) -> bool:
    return not value.dtype.is_floating_point and not value.dtype.is_complex


def _outer_named(named: str, cut: Cut, sides: Sequence[tuple[Sample, Value, Value]]) -> Metric:
    """Choose the class of a library function by what its arguments hold."""
    kind = next((s.kind for s, _, _ in sides), "")
    sample = next((s for s, _, _ in sides), None)
    found = libraries.torchmetrics_of(named, kind)
    scores, target = (sides[0][1], sides[0][2]) if sides else (cut.value, None)
    arguments: dict[str, Any] = {}
    if found.startswith("Multiclass") and sample is not None:
        arguments["num_classes"] = sample.classes
    if found.startswith("Multilabel") and sample is not None:
        arguments["num_labels"] = sample.target.shape[-1]
    return Metric(found, arguments, scores, target, kind=kind)


def _by_number(
    number: float, cut: Cut, sides: Sequence[tuple[Sample, Value, Value]], stacks: Sequence[Stack]
) -> Metric | None:
    """Return the metric of the traced batch whose value is the user's number.

    Where the number is a plain 0 or 1, many metrics have it; then the source decides.
    """
    likely = libraries.formulas(stacks)
    vague: list[Metric] = []
    for sample, scores, target in sides:
        if sample.kind == "text" and not libraries.loops(stacks[0]):
            continue
        for name, arguments, value in rows(sample):
            scale = next((s for s in _SCALES if _is_near(s[0] * value + s[1], number)), None)
            if scale is None:
                continue
            known = libraries.by_words(name, stacks)
            same = "note" not in arguments
            found = Metric(
                known, arguments, scores, target, cut.call, None, scale, same, sample.kind
            )
            if any(known.endswith(end) for end in likely):
                return found
            if 0.0 != value != 1.0:
                vague.append(found)
    return vague[0] if vague else _of_words(cut, sides, stacks)


def _of_words(
    cut: Cut, sides: Sequence[tuple[Sample, Value, Value]], stacks: Sequence[Stack]
) -> Metric | None:
    """Name the family of a text metric by the library calls it is built from."""
    text = next(((s, v, t) for s, v, t in sides if s.kind == "text"), None)
    if text is None or "Counter" not in libraries.callees(stacks[0]):
        return None
    return Metric(
        "BLEUScore",
        {"note": "by its n-gram counts"},
        text[1],
        text[2],
        cut.call,
        same=False,
        kind="text",
    )


def _of_function(leaving: Call, number: float) -> Metric | None:
    """Recognise a root or a power of a loss that has left torch as a number."""
    value, made = leaving.exit_value, leaving.inputs[0].call
    if not isinstance(value, float) or not 0 < value < 50 or made is None:  # noqa: PLR2004 - `exp` overflows
        return None
    near = {
        "MeanSquaredError": (math.sqrt(value), {"squared": False}, _is_squared(made)),
        "Perplexity": (math.exp(value), {}, made.name in {"cross_entropy", "nll_loss"}),
    }
    for name, (expected, arguments, fits) in near.items():
        if fits and any(_is_near(f * expected, number) for f in (1, -1)):
            return Metric(name, arguments, kind="number", same=False)
    return None


def _is_squared(made: Call) -> bool:
    """Say whether a call makes a mean of squared differences."""
    if made.name == "mse_loss":
        return True
    below = made.inputs[0].call if made.name == "mean" and made.inputs else None
    if below is None or not (
        below.name == "square" or (below.name in _POWERS and _SQUARE in below.constants)
    ):
        return False
    inner = below.inputs[0].call
    return inner is not None and inner.name in _DIFFERS


_SCALES = ((-1.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (100.0, 0.0), (-100.0, 100.0), (-100.0, 0.0))


def _is_near(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=2e-5, abs_tol=2e-6)
