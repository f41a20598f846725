# SPDX-License-Identifier: Apache-2.0
"""Run a piece of a step again on random batches, and find the metric that explains the results."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from lightning_gradguard.metrics.decisions import (
    How,
    class_count,
    class_dim,
    kinds_of,
    labels_of,
    threshold_of,
)
from lightning_gradguard.metrics.draws import draw
from lightning_gradguard.metrics.metric import Metric
from lightning_gradguard.metrics.operations import (
    AGREES,
    BELOW,
    BITS,
    COMPARES,
    DIFFERS,
    LOGS,
    ORDERS,
    PRODUCTS,
)
from lightning_gradguard.metrics.pieces import Piece, leaves_of, pieces
from lightning_gradguard.rerun import Unreplayable, replay
from lightning_gradguard.scores import Row, Sample, rows
from lightning_gradguard.trace import HARD, Call, Slot, Trace, Value

__all__ = ["Budget", "of_scalar"]

_DRAWS = 8
_MIN_DRAWS = 5
_EXACT = 1e-4
_CLOSE = 0.04
_SMOOTHED = 0.15  # how far a smoothed metric may lie from the slope of the plain one
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Budget:
    """How much one recognition may cost.

    Attributes:
        work: operations that are run again for one number.
        values: largest number of scores, of which random ones are drawn.
        numbers: how many numbers are looked at, where there are several.
        seconds: after which nothing more is tried.
    """

    work: int = 40_000
    values: int = 1 << 22
    numbers: int = 24
    seconds: float = math.inf


def of_scalar(trace: Trace, goal: Value, budget: Budget = Budget()) -> Metric | None:
    """Recognise the metric of which one scalar is a linear function."""
    best: tuple[float, Metric] | None = None
    work, start = 0, time.perf_counter()
    for piece in pieces(trace, goal):
        for how in kinds_of(piece):
            work += _DRAWS * len(piece.calls)
            if work > budget.work:
                return best[1] if best is not None else None
            small = max(math.prod(v.shape) for v in (piece.scores, piece.target)) <= budget.values
            found = _fit(piece, how) if small else None
            if found is not None and (best is None or found[0] < best[0]):
                best = found
            if time.perf_counter() - start > budget.seconds:
                return best[1] if best is not None else None
        if best is not None and best[0] < _EXACT:
            return best[1]
    return best[1] if best is not None else None


def _fit(piece: Piece, how: How) -> tuple[float, Metric] | None:
    """Return the metric that explains the scalar on every random batch, with what is left over."""
    kind = how[0]
    if kind in {"label", "topk", "channels", *BITS} and any(_takes_logs(c) for c in piece.calls):
        return None  # a loss that is made from decisions, not a share of them
    decides = False
    numbers: list[float] = []
    tables: list[dict[str, Row]] = []
    try:
        for seed in range(1, _DRAWS + 1):
            given = draw(piece, kind, seed)
            number = float(replay(piece.trace, piece.goal, given))
            if math.isfinite(number):
                numbers.append(number)
                sample = _sample(piece, how, given)
                tables.append(_rows(sample))
                decides = decides or kind not in BITS or bool(sample.preds.unique().numel() > 1)
    except (Unreplayable, RuntimeError, IndexError, ValueError, TypeError):
        return None
    if not decides or len(numbers) < _MIN_DRAWS or max(numbers) - min(numbers) < 1e-9:  # noqa: PLR2004
        return None
    best = _choose(numbers, tables)
    if best is None or (best[0] > _EXACT and not piece.first):
        return None
    return best[0], replace(_named(piece, best, tables[0], how), also=_others(best[1], tables))


def _others(key: str, tables: Sequence[Mapping[str, Row]]) -> tuple[str, ...]:
    """Return other classes that have the same value on every random batch."""
    mine = tables[0][key][0]
    names = {
        row[0]: None
        for k, row in tables[0].items()
        if row[0] != mine and "note" not in row[1] and k in tables[-1]
        and all(k in t and abs(t[k][2] - t[key][2]) < _SAME for t in tables)
    }  # fmt: skip
    return tuple(names)


def _takes_logs(call: Call) -> bool:
    """Say whether a call bends hard values, as a loss does and a share does not."""
    return call.name in LOGS and any(v.mark == HARD for v in call.inputs)


def _table(piece: Piece, how: How, given: Mapping[Value, Tensor]) -> dict[str, Row]:
    return _rows(_sample(piece, how, given))


def _rows(sample: Sample) -> dict[str, Row]:
    return {
        f"{name}{arguments}": (name, arguments, value) for name, arguments, value in rows(sample)
    }


def _sample(piece: Piece, how: How, given: Mapping[Value, Tensor]) -> Sample:
    """Return the two sides of the metric for given scores and target."""
    kind, number = how
    target, scores = given[piece.target], given[piece.scores]
    if kind == "rank":
        return Sample(kind, scores, _fit_shape(target, scores.shape), top_k=_cutoff(piece))
    hard = next(o for o in piece.decision.outputs if o.mark == HARD)
    preds = given[hard] if hard in given else replay(piece.trace, hard, given)
    if kind == "boxes":
        return Sample(kind, preds.reshape(target.shape), target)
    if kind == "topk":
        best = preds.movedim(class_dim(piece), -1)[..., : number or 1]
        return Sample(kind, best, target, class_count(piece), number or 1)
    if kind == "label":
        if piece.decision.name in ORDERS:
            preds = preds.select(class_dim(piece), 0)
        labels = labels_of(piece, target)
        overlap = _doubles(piece) and not _compares(piece)
        return Sample(
            kind,
            preds.reshape(labels.shape),
            labels,
            class_count(piece),
            1,
            number,
            overlap=overlap,
        )
    return _bit_sample(piece, kind, preds, scores, target)


def _bit_sample(piece: Piece, kind: str, preds: Tensor, scores: Tensor, target: Tensor) -> Sample:
    """Return bits; those of scores below a threshold are turned around."""
    decision = piece.decision
    if any(
        piece.target in leaves_of(v, {piece.target}) for v in decision.inputs if v in piece.inside
    ):
        preds = scores > 0  # a margin: the sign of scores times target
    elif decision.name in BELOW and decision.inputs and decision.inputs[0] in piece.inside:
        preds = (preds == 0).to(preds.dtype)
    overlap = not _compares(piece)
    if kind == "channels":
        preds, target = (t.movedim(1, -1).flatten(0, -2) for t in (preds, target))
        return Sample("multilabel", preds, target, overlap=overlap)
    shape = preds.shape if kind == "multilabel" else target.shape
    return Sample(kind, preds.reshape(shape), target.reshape(shape), overlap=overlap)


def _fit_shape(target: Tensor, shape: Sequence[int]) -> Tensor:
    return target.reshape(tuple(shape)) if target.numel() == math.prod(shape) else target


def _cutoff(piece: Piece) -> int:
    """Return the length to which a ranking is cut, 0 for the whole."""
    full = piece.scores.shape[-1] if piece.scores.shape else 0
    lengths = [
        v.shape[-1] for v in piece.inside if v.shape and v.mark == HARD and 1 < v.shape[-1] < full
    ]
    return min(lengths, default=0)


def _compares(piece: Piece) -> bool:
    """Say whether predictions and target meet in a comparison."""
    return any(c.name in AGREES and _meets(piece, c) for c in piece.calls)


def _doubles(piece: Piece) -> bool:
    """Say whether something is multiplied by 2, as the intersection is in F1 and Dice."""
    products = [c.recipe[0] for c in piece.calls if c.name in PRODUCTS and c.recipe is not None]
    return any(p in (2, 2.0) and not isinstance(p, Slot) for args in products for p in args)


def _meets(piece: Piece, call: Call) -> bool:
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
        plain = any(math.isclose(abs(factor), size, rel_tol=_SMOOTHED) for size in (1.0, 100.0))
        if plain and residual < _CLOSE and (best is None or residual < 0.8 * best[0]):
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
    piece: Piece,
    best: tuple[float, str, float, float],
    table: Mapping[str, Row],
    how: How,
) -> Metric:
    kind = "multilabel" if how[0] == "channels" else how[0]
    residual, key, factor, constant = best
    name, arguments, _ = table[key]
    if name == "MultilabelAccuracy" and any(
        c.name in DIFFERS and _meets(piece, c) for c in piece.calls
    ):
        name, factor, constant = "MultilabelHammingDistance", -factor, constant + factor
    same = (
        _check(piece, how, key, best[2:])
        if residual < _EXACT and "note" not in arguments
        else False
    )
    if kind in BITS:
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


def _threshold_argument(piece: Piece) -> dict[str, float]:
    if piece.decision.name not in COMPARES:
        return {}
    threshold = threshold_of(piece)
    return {"threshold": threshold} if 0 < threshold < 1 and threshold != 0.5 else {}  # noqa: PLR2004


def _check(piece: Piece, how: How, key: str, scale: tuple[float, float]) -> bool | None:
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
