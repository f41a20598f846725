# SPDX-License-Identifier: Apache-2.0
"""GG103 as a note: a loss that is computed and logged, and that no backward pass ever sees."""

import re

from lightning_gradguard import syntax
from lightning_gradguard.diagnose.places import loss_span, span_at
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.rules import Diagnostic, Severity
from lightning_gradguard.source import Site
from lightning_gradguard.trace import Call, Value

__all__ = ["unsummed_terms"]

_LOGS = frozenset({"log", "log_dict"})
_LOSS_WORDS = re.compile(
    r"loss|aux|reg(?:ul|_|$)|penal|kld?(?:_|$)|commit|diverg|decov", re.IGNORECASE
)


def unsummed_terms(scene: Scene) -> list[Diagnostic]:
    """GG103: single numbers that could train parameters and are only logged, as a loss.

    It is a note, never a warning: from the outside, a forgotten term and a number that is logged
    for information look the same.
    """
    trained = scene.lineage.from_params()
    uses = scene.trace.uses()
    beside = _log_sites_of_terms(scene)
    found = []
    for value, calls in uses.items():
        if not _is_idle(scene, value, calls) or value not in trained:
            continue
        if _is_called_a_loss(value, calls) or any(c.stack[0] in beside for c in calls):
            found.append(_unsummed(scene, value))
    return found


def _log_sites_of_terms(scene: Scene) -> set[Site]:
    """Return the places, as in a loop over all losses, that log a part of a loss."""
    uses = scene.trace.uses()
    terms = [t for view in scene.trace.losses for t in scene.lineage.live_terms(view)]
    return {c.stack[0] for t in terms if t.value for c in uses.get(t.value, ()) if _is_log(c)}


def _is_idle(scene: Scene, value: Value, calls: list[Call]) -> bool:
    """Say whether a live number is read by logging calls only."""
    if (
        value.kind != "op"
        or value.shape
        or value.seq < 0
        or value.call is None
        or not value.call.stack
    ):
        return False
    if syntax.callee(value.call.stack[0]) in _LOGS:
        return False
    return bool(calls) and all(map(_is_log, calls)) and not scene.lineage.connected(value)


def _is_log(call: Call) -> bool:
    return bool(call.stack) and syntax.callee(call.stack[0]) in _LOGS


def _is_called_a_loss(value: Value, calls: list[Call]) -> bool:
    """Say whether the name it is given, or logged under, speaks of a loss."""
    assert value.call is not None  # noqa: S101 - `_is_idle` made sure
    names = [syntax.target_name(value.call.stack[0])]
    names += [text.strip("'\"f") for c in calls for text in syntax.operands(c.stack[0])[1:2]]
    return any(_LOSS_WORDS.search(n) for n in names)


def _unsummed(scene: Scene, value: Value) -> Diagnostic:
    assert value.call is not None  # noqa: S101 - `_is_idle` made sure
    sums = [loss_span(view) for view in scene.trace.losses]
    return finding(
        "GG103",
        scene,
        severity=Severity.INFO,
        op=value.call.public,
        span=span_at(value.call.stack, "logged as a loss, part of no loss"),
        related=tuple(s.labelled("the loss is summed up here") for s in sums[:1] if s is not None),
        cause=(
            "this number depends on trained parameters and could change them, but no backward "
            "pass sees it"
        ),
        help="add it to the loss, or compute it under `torch.no_grad()` if it is only to be logged",
    )
