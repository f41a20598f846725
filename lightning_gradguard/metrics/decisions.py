# SPDX-License-Identifier: Apache-2.0
"""What kind of prediction a hard operation makes: labels, bits, ranks or whole numbers."""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lightning_gradguard.metrics.operations import (
    AGREES,
    COMPARES,
    INTEGERS,
    LABELS,
    ORDERS,
    ROUNDS,
    SIGNS,
    STEPS,
)
from lightning_gradguard.metrics.pieces import Piece, lineage_of
from lightning_gradguard.trace import HARD, Call, Slot, Value, domain_of

__all__ = [
    "How",
    "class_count",
    "class_dim",
    "ignored_label",
    "is_one_hot",
    "kinds_of",
    "labels_of",
    "target_domain",
    "threshold_of",
    "without",
]

How = tuple[str, int | None]


def kinds_of(piece: Piece) -> list[How]:
    """Return the kinds of prediction that the decision may make, each with its number.

    That is how many of the best count, or the label that is left out.
    """
    name, decision = piece.decision.name, piece.decision
    hard = next(o for o in decision.outputs if o.mark == HARD)
    if hard.dtype is torch.uint8:
        return [("image", 1)]
    if name in LABELS and not hard.dtype.is_floating_point and hard.dtype is not torch.bool:
        return _label_kinds(piece)
    if name in ORDERS:
        best = _shortest(piece, hard)
        return (
            [*_label_kinds(piece), ("rank", 1)] if best == 1 else [("topk", best), ("rank", best)]
        )
    if name in COMPARES:
        fed = [v for v in decision.inputs if v in piece.inside]
        if len(fed) > 1:
            return [("rank", 1)]
    if name in COMPARES or name in SIGNS or name == "bool" or hard.dtype is torch.bool:
        return [*_bit_kinds(piece, hard), ("rank", 1)]
    return _number_kinds(piece, hard) if name in INTEGERS else []


def _number_kinds(piece: Piece, hard: Value) -> list[How]:
    """Return what rounded numbers may be: bits, corners of boxes, or whole numbers."""
    boxes: list[How] = [("boxes", 1)] if _are_boxes(piece) else []
    if _is_two_valued(piece):
        return [*_bit_kinds(piece, hard), *boxes]
    binned = any(_is_binned(v) for v in piece.sides if piece.derived(v))
    return boxes if binned else [*boxes, ("integer", 1)]


def _are_boxes(piece: Piece) -> bool:
    """Say whether both sides are rows of four numbers."""
    same = piece.scores.shape == piece.target.shape
    return same and len(piece.scores.shape) == 2 and piece.scores.shape[1] == 4  # noqa: PLR2004


def _label_kinds(piece: Piece) -> list[How]:
    """Return labels, without the one that the target is masked by."""
    inner = {
        n
        for call in _comparisons(piece)
        for n in _whole_numbers(call)
        if 0 <= n < class_count(piece) and call.name in AGREES
    }
    return [
        ("label", ignored_label(piece)),
        *([("label", inner.pop())] if len(inner) == 1 else []),
    ]


def _shortest(piece: Piece, hard: Value) -> int:
    """Return how many of the sorted positions are used."""
    lengths = [
        v.shape[-1] for v in piece.inside if v.mark == HARD and v.shape and v.dtype is torch.int64
    ]
    kept = [n for n in lengths if n and len(hard.shape) > 0]
    return min(kept, default=1)


def _bit_kinds(piece: Piece, hard: Value) -> list[How]:
    if math.prod(hard.shape) != math.prod(piece.target.shape):
        return []
    shape = piece.target.shape if len(piece.target.shape) == len(hard.shape) else hard.shape
    many = len(shape) == 2 and shape[-1] > 1  # noqa: PLR2004 - samples and labels
    if len(shape) > 2 and shape[1] > 1 and piece.target.shape == hard.shape:  # noqa: PLR2004
        return [("channels", 1), ("binary", 1)]
    return [("multilabel", 1)] if many else [("binary", 1)]


def _is_binned(side: Value) -> bool:
    """Say whether the user's code has put the target into classes as well."""
    made = [v for v in lineage_of(side) if v.call is not None and v.call.name in INTEGERS]
    return any(v.call is not None and _loses_fraction(v, v.call) for v in made)


def _loses_fraction(value: Value, call: Call) -> bool:
    cast = (
        not value.dtype.is_floating_point and call.inputs and call.inputs[0].dtype.is_floating_point
    )
    return bool(cast) or call.name in STEPS


def _is_two_valued(piece: Piece) -> bool:
    known = target_domain(piece)
    return known == "bits" if known else piece.decision.name in ROUNDS


def target_domain(piece: Piece) -> str:
    """Return what the values of the target are, `""` where that is not known."""
    if piece.target.dtype is torch.bool:
        return "bits"
    real = piece.trace.tensor_of(piece.target)
    return domain_of(real) if real is not None else piece.trace.domains.get(piece.target, "")


def threshold_of(piece: Piece) -> float:
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
    return 0.5 if piece.decision.name in ROUNDS else 0.0


def class_dim(piece: Piece) -> int:
    """Return the dimension over which the decision picks."""
    recipe = piece.decision.recipe
    args, keywords = recipe if recipe is not None else ((), {})
    given = keywords.get("dim", keywords.get("axis"))
    if given is None:
        place = 2 if piece.decision.name == "topk" else 1
        given = args[place] if len(args) > place and isinstance(args[place], int) else -1
    size = len(piece.scores.shape)
    return given % size if size and isinstance(given, int) and not isinstance(given, bool) else 0


def class_count(piece: Piece) -> int:
    """Return how many classes the decision picks from."""
    return piece.scores.shape[class_dim(piece)] if piece.scores.shape else 1


def without(shape: Sequence[int], dim: int) -> tuple[int, ...]:
    """Return a shape that lacks one dimension."""
    return (*shape[:dim], *shape[dim + 1 :])


def is_one_hot(piece: Piece) -> bool:
    """Say whether the target has a dimension for the classes, as the scores have."""
    shape = without(piece.scores.shape, class_dim(piece))
    return math.prod(shape) != math.prod(piece.target.shape)


def labels_of(piece: Piece, target: Tensor) -> Tensor:
    """Return the target as labels."""
    if target.shape == tuple(piece.scores.shape) and len(target.shape) > 1 and is_one_hot(piece):
        return target.argmax(class_dim(piece))
    return target


def ignored_label(piece: Piece) -> int | None:
    """Return the constant that the target is compared with to leave positions out."""
    count = class_count(piece)
    for call in _comparisons(piece):
        numbers = _whole_numbers(call)
        if call.name in AGREES and any(n < 0 or n >= count for n in numbers):
            return next(n for n in numbers if n < 0 or n >= count)
        if call.name in {"ge", "__ge__", "gt", "__gt__"} and numbers and numbers[0] in {0, -1}:
            return _negative_label(piece)
    return None


def _negative_label(piece: Piece) -> int:
    """Return the label below 0 that the traced target holds."""
    real = piece.trace.tensor_of(piece.target)
    below = real[real < 0].unique().tolist() if real is not None else []
    return int(below[0]) if len(below) == 1 else -1


def _comparisons(piece: Piece) -> Iterator[Call]:
    """Yield the comparisons of the target with constants."""
    for value in piece.inside | {p for c in piece.calls for p in c.inputs}:
        for call in _calls_above(value, piece):
            if call.name in AGREES | COMPARES and call.recipe and piece.derived(call.inputs[0]):
                yield call


def _whole_numbers(call: Call) -> list[int]:
    parts = call.recipe[0] if call.recipe is not None else ()
    return [p for p in parts if isinstance(p, int) and not isinstance(p, (Slot, bool))]


def _calls_above(value: Value, piece: Piece) -> Iterator[Call]:
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
