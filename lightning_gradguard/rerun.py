# SPDX-License-Identifier: Apache-2.0
"""Run a recorded piece of a step again on other tensors.

A call keeps its constants and the places of its tensors, so that what lies between a few given
values and a result can be computed once more without the user's code.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard.trace import Call, Slot, Trace, Value

__all__ = ["Unreplayable", "can_run", "needed_calls", "replay", "run_calls"]

_RANDOM = (
    "rand",
    "dropout",
    "bernoulli",
    "multinomial",
    "normal",
    "uniform",
    "exponential",
    "poisson",
    "gumbel",
)
_WRITES = frozenset(
    [
        "__setitem__",
        "__iadd__",
        "__isub__",
        "__imul__",
        "__itruediv__",
        "__ifloordiv__",
        "__imod__",
        "__ipow__",
        "__iand__",
        "__ior__",
        "__ixor__",
    ]
)
# They change running statistics or rows of a table that they are given.
_STATEFUL = frozenset({"batch_norm", "instance_norm", "embedding", "embedding_bag"})
_MAX_CALLS = 4000


class Unreplayable(Exception):  # noqa: N818 - it is an answer, not a failure
    """The piece holds something that cannot be run again."""


def replay(trace: Trace, goal: Value, given: Mapping[Value, Tensor]) -> Tensor:
    """Compute `goal` from other tensors for some of the values it depends on.

    Args:
        trace: the record; tensors that it still holds stand in for leaves that are not given.
        goal: what to compute.
        given: value -> tensor of the same shape and dtype.

    Raises:
        Unreplayable: a needed call cannot be run again.

    Cost: the recorded operations, without their overhead; no random number is drawn.
    """
    held = dict(given)
    calls = needed_calls(goal, held, trace)
    with torch.no_grad():
        run_calls(calls, held)
    return held[goal]


def needed_calls(goal: Value, held: dict[Value, Tensor], trace: Trace | None = None) -> list[Call]:
    """Return the calls between the held values and the goal in the order in which they ran."""
    calls: dict[int, Call] = {}
    stack = [goal]
    while stack:
        value = stack.pop()
        if value in held:
            continue
        call = value.call
        if call is None or not can_run(call):
            tensor = trace.tensor_of(value) if trace is not None else None
            if tensor is None:
                raise Unreplayable(value.kind)
            held[value] = tensor
        elif call.index not in calls:
            calls[call.index] = call
            stack.extend(call.inputs)
            if len(calls) > _MAX_CALLS:
                raise Unreplayable("too long")
    return [calls[i] for i in sorted(calls)]


def run_calls(calls: Iterable[Call], held: dict[Value, Tensor]) -> None:
    """Run calls in order; their results are added to `held`."""
    for call in calls:
        try:
            _run(call, held)
        except Unreplayable:
            raise
        except Exception as fault:
            raise Unreplayable(call.public) from fault


def can_run(call: Call) -> bool:
    """Say whether a call can be run again: it is known, draws nothing, and changes nothing."""
    if call.func is None:
        return call.name in {"alias", "Parameter"}
    known = call.recipe is not None and call.name not in _STATEFUL
    return known and not call.name.startswith(_RANDOM)


def _run(call: Call, held: dict[Value, Tensor]) -> None:
    tensors = [held[v] for v in call.inputs]
    if call.func is None:
        held[call.outputs[0]] = tensors[0]
        return
    assert call.recipe is not None  # noqa: S101 - `can_run` made sure
    writes = _writes(call)
    if writes:
        tensors[0] = tensors[0].clone()
    args, keywords = call.recipe
    out = call.func(
        *[_fill(a, tensors) for a in args], **{k: _fill(v, tensors) for k, v in keywords.items()}
    )
    results: list[Tensor] = [tensors[0]] if writes else []
    known = {id(t) for t in tensors}
    fresh = [t for t in _tensors(out) if id(t) not in known]
    _assign(call, results, fresh, held)


def _assign(
    call: Call, written: list[Tensor], fresh: list[Tensor], held: dict[Value, Tensor]
) -> None:
    """Tie results to the recorded outputs; other names of written memory keep what they held."""
    spare = len(call.outputs) - len(fresh)
    for place, value in enumerate(call.outputs):
        if place < len(written):
            held[value] = written[place]
        elif place >= spare:
            held[value] = fresh[place - spare]
        elif value.parents and value.parents[0] in held:
            held[value] = held[value.parents[0]]
        else:
            raise Unreplayable(call.public)


def _writes(call: Call) -> bool:
    name = call.name
    if "out" in call.keywords:
        raise Unreplayable(call.public)
    return name in _WRITES or (name.endswith("_") and not name.endswith("__"))


def _fill(part: Any, tensors: list[Tensor]) -> Any:  # noqa: ANN401
    if isinstance(part, Slot):
        return tensors[part]
    if type(part) in (list, tuple):
        return type(part)([_fill(p, tensors) for p in part])
    return part


def _tensors(out: Any) -> list[Tensor]:  # noqa: ANN401
    if isinstance(out, Tensor):
        return [out]
    if isinstance(out, (tuple, list)):
        return [t for o in out for t in _tensors(o)]
    return []
