# SPDX-License-Identifier: Apache-2.0
"""Shares of right answers that no class of torchmetrics describes: near enough, found, real.

Such a number is named by its family, `Accuracy`, `Recall` or `Precision`. A share counts as one
only if perfect scores make every decision a hit, far ones none, and the number follows it alone.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from lightning_gradguard.metrics.metric import Metric
from lightning_gradguard.metrics.operations import BELOW, COMPARES, LOGS, ROUNDS, SIGNS
from lightning_gradguard.metrics.pieces import Piece, is_data, leaves_of, pieces, upstream
from lightning_gradguard.rerun import Unreplayable, replay
from lightning_gradguard.trace import FED, HARD, Call, Trace, Value

__all__ = ["share_of"]

_DRAWS = 24
_MIN_SHARES = 3
_EXACT = 1e-4
_FAR = 1000.0
_MAX_CALLS = 400
_FAILS = (Unreplayable, RuntimeError, IndexError, ValueError, TypeError)


def share_of(trace: Trace, goal: Value) -> Metric | None:
    """Return the family of which one scalar is a linear function."""
    try:
        near = (_near_enough(piece) for piece in pieces(trace, goal))
        return next((m for m in near if m is not None), None) or _two_sided(trace, goal)
    except _FAILS:
        return None


# -- near enough to a target


def _near_enough(piece: Piece) -> Metric | None:
    """Recognise the share of predictions, or of targets, whose distance stays below a bound."""
    decision = next((c for c in piece.calls if _measures(piece, c)), None)
    if decision is None:
        return None
    hard = decision.outputs[0]
    ends = [_run(piece, hard, scores, target) for scores, target in _extremes(piece)]
    if any(bool((e != e.reshape(-1)[0]).any()) for e in ends) or bool((ends[0] == ends[1]).any()):
        return None
    points = [
        [float(_run(piece, v, s, t).double().mean()) for v in (hard, piece.goal)]
        for s, t in _blurred(piece)
    ]
    if not _is_line(points):
        return None
    note = "what counts as right is a bound in your code"
    return Metric(
        _family(piece, hard), {"note": note}, piece.scores, piece.target, decision,
        piece.goal, same=False, kind="share",
    )  # fmt: skip


def _measures(piece: Piece, call: Call) -> bool:
    """Say whether a call compares something between scores and target with a bound."""
    fed = [v for v in call.inputs if v in piece.inside]
    shapes = piece.scores.shape, piece.target.shape
    fits = shapes[0] and shapes[1] and shapes[0][1:] == shapes[1][1:] and call.outputs[0].shape
    if call.name not in COMPARES or len(fed) != 1 or not fits:
        return False
    if len(piece.calls) > _MAX_CALLS or any(c.name in LOGS for c in piece.calls):
        return False
    return _meets(piece, fed[0])


def _meets(piece: Piece, value: Value) -> bool:
    """Say whether the target has come in before a value of the chain."""
    return piece.target in leaves_of(value, {piece.target})


def _family(piece: Piece, hard: Value) -> str:
    said, real = piece.scores.shape[0], piece.target.shape[0]
    if said == real:
        return "Accuracy"
    return "Recall" if hard.shape[0] == real else "Precision"


def _run(piece: Piece, value: Value, scores: Tensor, target: Tensor) -> Tensor:
    sides = (piece.scores, scores), (piece.target, target)
    return replay(piece.trace, value, {v: t.to(v.dtype) for v, t in sides})


def _ideal(piece: Piece, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return scores that hit a target; entries of a row increase, as corners of boxes do."""
    said, real = piece.scores.shape, piece.target.shape
    few = min(said[0], real[0])
    rows = (0.5 + torch.rand((few, *real[1:]), generator=source)).double()
    rows = (rows.cumsum(-1) if len(real) > 1 else 3 * rows) * 20
    rows = rows if piece.target.dtype.is_floating_point else rows.round()
    return rows[torch.arange(said[0]) % few], rows[torch.arange(real[0]) % few]


def _extremes(piece: Piece) -> Iterator[tuple[Tensor, Tensor]]:
    scores, target = _ideal(piece, torch.Generator().manual_seed(0))
    yield scores, target
    yield scores + _FAR * (1 + scores.abs()), target


def _blurred(piece: Piece) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield scores that are off by another order of magnitude for each row of the target."""
    source = torch.Generator().manual_seed(1)
    for _ in range(_DRAWS):
        scores, target = _ideal(piece, source)
        few = min(len(scores), len(target))
        rows = torch.rand((few, *[1] * (scores.dim() - 1)), generator=source)
        rows = rows[torch.arange(len(scores)) % few]
        noise = torch.randn(scores.shape, generator=source)
        yield scores + noise * 10 ** (6 * rows - 2), target


def _is_line(points: Sequence[Sequence[float]]) -> bool:
    """Say whether the second number follows the first."""
    table = torch.tensor(points, dtype=torch.double)
    if len(table[:, 0].unique()) < _MIN_SHARES or not bool(table.isfinite().all()):
        return False
    sides = torch.stack([table[:, 0], torch.ones(len(table)).double()], 1)
    found = torch.linalg.lstsq(sides, table[:, 1:]).solution
    spread = float(table[:, 1].max() - table[:, 1].min())
    return spread > 0 and float((sides @ found - table[:, 1:]).abs().max()) < _EXACT * spread


# -- two groups, of which one should lie above a bound and the other below


def _two_sided(trace: Trace, goal: Value) -> Metric | None:
    """Recognise the accuracy of a critic: the share of one group above, of the other below."""
    made = dict.fromkeys(v.call for v in upstream(goal) if v.call is not None and _decides(v))
    if len(made) != 2 or _has_data(goal, made):  # noqa: PLR2004 - real and fake
        return None
    one, other = made
    scores = [next(v for v in c.inputs if v.mark == FED) for c in (one, other)]
    if scores[0] is scores[1]:
        return None
    weights = _weights(trace, goal, (one, other), scores)
    if weights is None or not _opposite(weights, scores):
        return None
    real = 0 if weights[0] < 0 else 1  # the loss falls as more of them lie above
    return Metric(
        "BinaryAccuracy", {}, scores[real], None, (one, other)[real], goal,
        kind="sides", against=scores[1 - real],
    )  # fmt: skip


def _decides(value: Value) -> bool:
    """Say whether a value is the first hard one behind a single float."""
    call = value.call
    if call is None or value.mark != HARD or call.name not in COMPARES | ROUNDS | SIGNS:
        return False
    fed = [v for v in call.inputs if v.mark == FED]
    return len(fed) == 1 and fed[0].dtype.is_floating_point and len(fed) == len(
        [v for v in call.inputs if v.shape]
    )  # fmt: skip


def _has_data(goal: Value, made: dict[Call, None]) -> bool:
    """Say whether data or other scores come in after the decisions."""
    stops = {o for c in made for o in c.outputs}
    return any(v not in stops and (v.mark != 0 or is_data(v)) for v in leaves_of(goal, stops))


def _weights(
    trace: Trace, goal: Value, made: tuple[Call, Call], scores: Sequence[Value]
) -> tuple[float, float] | None:
    """Return with what factor the share above the bound of each group enters, if it is linear."""
    source = torch.Generator().manual_seed(2)
    table = []
    for _ in range(_DRAWS):
        given = {
            v: (_bound(c) + torch.randn(v.shape, generator=source) + shift).to(v.dtype)
            for v, c, shift in zip(scores, made, torch.randn(2, generator=source), strict=True)
        }
        above = [float((replay(trace, c.outputs[0], given) > 0).double().mean()) for c in made]
        above = [1 - a if c.name in BELOW else a for a, c in zip(above, made, strict=True)]
        table.append([*above, 1.0, float(replay(trace, goal, given))])
    points = torch.tensor(table, dtype=torch.double)
    found = torch.linalg.lstsq(points[:, :3], points[:, 3:]).solution
    rest = float((points[:, :3] @ found - points[:, 3:]).abs().max())
    spread = float(points[:, 3].max() - points[:, 3].min())
    return (float(found[0]), float(found[1])) if rest < _EXACT * spread else None


def _bound(call: Call) -> float:
    numbers = [c for c in call.constants if isinstance(c, float | int) and not isinstance(c, bool)]
    default = 0.5 if call.name in ROUNDS else 0.0
    return float(numbers[0]) if numbers and call.name in COMPARES else default


def _opposite(weights: tuple[float, float], scores: Sequence[Value]) -> bool:
    """Say whether the two shares pull apart, each alike or each by its size."""
    if not weights[0] * weights[1] < 0:
        return False
    ratio = -weights[0] / weights[1]
    sizes = math.prod(scores[0].shape) / max(math.prod(scores[1].shape), 1)
    return any(math.isclose(ratio, r, rel_tol=1e-3) for r in (1.0, sizes))
