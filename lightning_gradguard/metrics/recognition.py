# SPDX-License-Identifier: Apache-2.0
"""Recognise the metric that a cut chain computes, from what the chain does and not from its names.

The recorded calls between the model's scores, the target and the cut-off number are run again on a
few random batches, and the results are compared with the formulas of common metrics. What agrees on
all of them is that metric, however it was written. Chains that leave torch are compared by the
numbers of the traced batch and by the library functions that the source text calls.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from lightning_gradguard.lineage import Cut
from lightning_gradguard.metrics.fitting import Budget, of_scalar
from lightning_gradguard.metrics.metric import Metric
from lightning_gradguard.metrics.outside import of_library, outside
from lightning_gradguard.metrics.pieces import downstream, hard_scalars, upstream
from lightning_gradguard.metrics.shares import share_of
from lightning_gradguard.trace import HARD, Trace, Value

__all__ = ["beside", "recognise"]

_MAX_BESIDE = 4


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
    below: set[Value] = downstream(trace, cut.output) if cut.output is not None else set()
    above: dict[Value, int] = upstream(goal) if goal is not None else {}
    named = of_library(trace, cut, below, above)
    if named is not None:
        return named
    inside = goal is not None and goal in below
    outer = None if inside else outside(trace, cut, below, goal)
    if outer is not None and outer.same:
        return outer
    for value in hard_scalars(trace, below, above, goal):
        found = of_scalar(trace, value) or share_of(trace, value)
        if found is not None and (inside or _explains(trace, found, goal)):
            return found
    return outer or (outside(trace, cut, below, goal) if inside else None)


def _explains(trace: Trace, found: Metric, goal: Value | None) -> bool:
    """Say whether a number that came back from plain Python may be made from the metric alone."""
    number = trace.tensor_of(goal) if goal is not None else None
    shown = trace.tensor_of(found.value) if found.value is not None else None
    if number is None or shown is None or number.numel() != 1 or not found.scale[0]:
        return True
    metric = (float(shown) - found.scale[1]) / found.scale[0]
    factors = [float(number) / m for m in (metric, 1 - metric) if abs(m) > 1e-6]  # noqa: PLR2004
    return any(abs(f - round(f, 2)) < 1e-5 for f in factors)  # noqa: PLR2004 - a weight that people write


def beside(trace: Trace, goal: Value | None, budget: Budget = Budget()) -> list[Metric]:  # noqa: B008 - it is frozen
    """Return the metrics that a step computes without using them in its loss.

    Args:
        trace: the record of the step.
        goal: the loss.
        budget: what it may cost.
    """
    above = upstream(goal) if goal is not None else {}
    covered: set[Value] = set()
    found: list[Metric] = []
    until = time.perf_counter() + budget.seconds
    numbers = (v for c in reversed(trace.calls) for v in c.outputs if _is_beside(v, above))
    for value in islice(numbers, budget.numbers):
        left = until - time.perf_counter()
        if len(found) == _MAX_BESIDE or left < 0:
            break
        if value in covered:
            continue
        metric = of_scalar(trace, value, replace(budget, seconds=left))
        if metric is not None and metric.note == "":
            found.append(metric)
            covered |= upstream(value).keys()
    return found[::-1]


def _is_beside(value: Value, above: Mapping[Value, int]) -> bool:
    """Say whether a value is a single hard number outside of the loss."""
    library = value.call is not None and value.call.library
    return value.mark == HARD and not value.shape and value not in above and not library
