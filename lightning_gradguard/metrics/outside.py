# SPDX-License-Identifier: Apache-2.0
"""Metrics that a library computes, or numpy and plain Python on values that have left torch."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from lightning_gradguard import libraries
from lightning_gradguard.lineage import Cut
from lightning_gradguard.metrics.metric import Metric
from lightning_gradguard.metrics.operations import DIFFERS, LABELS, ORDERS, POWERS
from lightning_gradguard.metrics.pieces import is_data, leaves_of, moment, upstream
from lightning_gradguard.scores import Sample, rows
from lightning_gradguard.source import Stack
from lightning_gradguard.trace import FREE, HARD, Call, Trace, Value

__all__ = ["of_library", "outside"]

_SQUARE = 2
_SOUND = 3  # dimensions of sounds: samples, channels, time; images have more
_SCALES = ((-1.0, 1.0), (1.0, 0.0), (-1.0, 0.0), (100.0, 0.0), (-100.0, 100.0), (-100.0, 0.0))


def of_library(
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
    return _of_class(libraries.class_of(name), cut.value) if name else None


def _of_class(name: str, scores: Value) -> Metric:
    """Return a metric of torchmetrics with the arguments that it cannot do without."""
    shape = scores.shape
    arguments: dict[str, Any] = {}
    if name.startswith("Multiclass") and len(shape) > 1:
        arguments["num_classes"] = shape[1]
    if name.startswith("Multilabel") and len(shape) > 1:
        arguments["num_labels"] = shape[1]
    return Metric(name, arguments, scores)


def outside(trace: Trace, cut: Cut, below: set[Value], goal: Value | None) -> Metric | None:
    """Recognise a metric that is computed by numpy, by a library or in plain Python."""
    exits = [
        c for c in trace.calls if c.is_exit and c.inputs and (c.inputs[0] in below or c is cut.call)
    ]
    exits = [c for c in exits if c.name not in {"__bool__", "__format__"}]
    if not exits:
        return None
    above = upstream(goal) if goal is not None else {}
    later = (c for c in trace.calls[exits[0].index :] if any(o in above for o in c.outputs))
    library = next((c.library for c in later if c.library), "")
    if library:
        return _of_class(libraries.class_of(library), cut.value)
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
        if v.mark == FREE and v.shape and any(is_data(s) for s in leaves_of(v, ()))
    ]
    for value in sorted(preds, key=lambda v: (not _is_integral(v), moment(v))):
        for target in sorted(targets, key=moment, reverse=True):
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
    if _are_best(value) and preds.shape[:-1] == target.shape:
        count = value.parents[0].shape[-1]
        yield Sample("topk", preds, target, count, preds.shape[-1])
    if preds.numel() != target.numel():
        return
    target = target.reshape(preds.shape)
    two = bool(((target == 0) | (target == 1)).all())
    hard = not preds.dtype.is_floating_point or bool(((preds == 0) | (preds == 1)).all())
    if (hard and not two and not target.dtype.is_floating_point) or (hard and _picks(value)):
        count = max(_choices(value), int(target.max()) + 1, int(preds.max()) + 1)
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


def _are_best(value: Value) -> bool:
    """Say whether a value holds the positions of the best few of a last dimension."""
    made = value.call
    return made is not None and made.name in ORDERS and _is_integral(value) and bool(value.parents)


def _choices(value: Value) -> int:
    """Return from how many classes labels were picked, 0 if they were not."""
    if not _picks(value) or value.call is None:
        return 0
    shape, left = value.call.inputs[0].shape, value.shape
    return next((n for d, n in enumerate(shape) if (*shape[:d], *shape[d + 1 :]) == left), 0)


def _picks(value: Value) -> bool:
    return value.call is not None and value.call.name in LABELS


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
    scores, decision = _before_decision(scores, cut)
    return Metric(found, arguments, scores, target, decision, kind=kind)


def _before_decision(value: Value, cut: Cut) -> tuple[Value, Call]:
    """Return the scores that hard predictions were made of, and the call that made them."""
    current, decision = value, cut.call
    while current.mark == HARD and current.call is not None:
        decision = current.call
        fed = [v for v in decision.inputs if v.mark != FREE]
        if len(fed) != 1:
            return value, cut.call
        current = fed[0]
    return current, decision


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
            made, decision = _before_decision(scores, cut)
            found = Metric(known, arguments, made, target, decision, None, scale, same, sample.kind)
            if any(known.endswith(end) for end in likely):
                return found
            if 0.0 != value != 1.0:
                vague.append(found)
    vague.sort(key=lambda m: m.note != "")
    if not vague:
        return _of_words(cut, sides, stacks)
    others = dict.fromkeys(m.name for m in vague[1:] if not m.note and m.name != vague[0].name)
    return replace(vague[0], also=tuple(others))


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
    """Recognise a root, a power or a logarithm of a loss that has left torch as a number."""
    value, made = leaving.exit_value, leaving.inputs[0].call
    if not isinstance(value, float) or made is None:
        return None
    base, made = _undone(value, made)
    if not 0 < base < 50:  # noqa: PLR2004 - `exp` overflows
        return None
    error = _squared_sides(made)
    sides = error or (made.inputs[:2] if made.name in {"cross_entropy", "nll_loss"} else ())
    for name, expected, arguments in _functions(base, sides, squared=bool(error)):
        scale = next((s for s in (1.0, -1.0) if _is_near(s * expected, number)), None)
        if scale is not None:
            scores, target = sides
            return Metric(
                name, arguments, scores, target, leaving, None, (scale, 0.0),
                None if "note" in arguments or name == "Perplexity" else True, "number",
            )  # fmt: skip
    return None


def _functions(
    base: float, sides: tuple[Value, ...], *, squared: bool
) -> Iterator[tuple[str, float, dict[str, Any]]]:
    """Yield `(class, value, arguments)` of what is made of an error or of an entropy."""
    if squared:
        yield "MeanSquaredError", math.sqrt(base), {"squared": False}
        level = 10 * math.log10(base)
        if len(sides[0].shape) > _SOUND:
            for peak in (1.0, 255.0, 2.0):
                ratio = 20 * math.log10(peak) - level
                yield "PeakSignalNoiseRatio", ratio, {"data_range": peak}
        else:
            yield "SignalNoiseRatio", level, {"note": "yours leaves the power of the target out"}
    elif len(sides) == 2:  # noqa: PLR2004 - scores and target
        yield "Perplexity", math.exp(base), {}


def _undone(value: float, made: Call) -> tuple[float, Call]:
    """Return a loss and its call where a number is a root or a power of it."""
    before = made.inputs[0].call if made.inputs else None
    if before is None or not 0 < value < 1e20:  # noqa: PLR2004 - the square must be finite
        return value, made
    if made.name == "exp" and value > 1:
        return math.log(value), before
    return (value**2, before) if made.name == "sqrt" else (value, made)


def _squared_sides(made: Call) -> tuple[Value, ...]:
    """Return the two sides of a mean of squared differences, none if it is something else."""
    if made.name == "mse_loss":
        return made.inputs[:2]
    below = made.inputs[0].call if made.name == "mean" and made.inputs else None
    if below is None or not (
        below.name == "square" or (below.name in POWERS and _SQUARE in below.constants)
    ):
        return ()
    inner = below.inputs[0].call
    differs = inner is not None and inner.name in DIFFERS and len(inner.inputs) > 1
    return inner.inputs[:2] if inner is not None and differs else ()


def _is_near(left: float, right: float) -> bool:
    return math.isclose(left, right, rel_tol=2e-5, abs_tol=2e-6)
