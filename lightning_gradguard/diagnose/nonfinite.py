# SPDX-License-Identifier: Apache-2.0
"""GG204: gradients that are NaN or infinite."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import torch

from lightning_gradguard import advice
from lightning_gradguard.diagnose.places import (
    called_from,
    layer_span,
    optimizer_span,
    span_at,
)
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.words import function_of, phrase
from lightning_gradguard.flow import Kill
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Span
from lightning_gradguard.trace import Call, LossView

__all__ = ["diverged", "nonfinite_gradients", "nonfinite_values", "speaks_of_values"]

# What torch, its distributions, linear algebra and users' own checks say of bad values.
_VALUES = re.compile(
    r"\bis_?nan|\bnan\b|\binf\b|finite|between 0 and 1|constraint|converge|positive.definite"
    r"|singular",
    re.IGNORECASE,
)


class _Said(TypedDict):
    """What differs between the two forms of the finding."""

    params: tuple[str, ...]
    slots: Mapping[str, str]
    cause: str
    effect: str


def nonfinite_gradients(
    scene: Scene, names: Sequence[str], seen: Sequence[tuple[Call, str]]
) -> list[Diagnostic]:
    """GG204: NaN or inf in gradients, and the first operation in which it appeared.

    Args:
        scene: the failing step.
        names: parameters with a non-finite gradient.
        seen: calls whose result was not finite although their inputs were, with `nan` or `inf`.
    """
    kills = [k for flow in scene.flows for k in flow.broke()]
    broken = [c for k in kills if (c := scene.trace.call_of(k.seq)) is not None]
    origin = _forward_origin(scene, seen, broken)
    call = origin[0] if origin is not None else next(iter(broken), None)
    kill = kills[0] if kills and origin is None else None
    op = call.public if call is not None else (function_of(kill.name) if kill is not None else None)
    return [
        _nonfinite(
            scene,
            call,
            op,
            params=tuple(names),
            slots={"subject": f"the gradient of {phrase(tuple(names))}"},
            cause=_nonfinite_cause(origin, kill, op),
            effect="the optimizer writes NaN into these parameters, the next forward pass is NaN",
        )
    ]


def broken_derivative(
    scene: Scene, call: Call | None, names: Sequence[str], node: str
) -> list[Diagnostic]:
    """GG204 for the operation that anomaly detection has named."""
    op = call.public if call is not None else function_of(node)
    return [
        _nonfinite(
            scene,
            call,
            op,
            params=tuple(names),
            slots={"subject": f"the gradient of {phrase(tuple(names))}"},
            cause=f"the forward pass is finite, but the derivative of `{op}` is not",
            effect="anomaly detection raises, so no parameter is trained by this step",
        )
    ]


def nonfinite_values(scene: Scene, seen: Sequence[tuple[Call, str]]) -> list[Diagnostic]:
    """GG204 where a step raises for a value that is not finite, before any gradient is there.

    Args:
        scene: the failing step.
        seen: calls whose result was not finite although their inputs were, with `nan` or `inf`.
    """
    origin = next((s for s in seen if s[1] == "nan"), seen[0])
    op = origin[0].public
    return [
        _nonfinite(
            scene,
            origin[0],
            op,
            params=tuple(scene.judged),
            slots={"subject": "a value on the way to the loss"},
            cause=_nonfinite_cause(origin, None, op),
            effect="the step raises, so no parameter is trained by it",
        )
    ]


def speaks_of_values(text: str, raised_at: Span | None) -> bool:
    """Say whether an error, or the line that raised it, is about values that are not finite."""
    return bool(_VALUES.search(text) or (raised_at is not None and _VALUES.search(raised_at.text)))


def _nonfinite(
    scene: Scene, call: Call | None, op: str | None, **said: Unpack[_Said]
) -> Diagnostic:
    stack = call.stack if call is not None else ()
    return finding(
        "GG204",
        scene,
        op=op,
        span=span_at(stack, "NaN or inf appears here first"),
        related=called_from(stack) + (layer_span(scene.model, call.module) if call else ()),
        evidence=scene.when,
        help=advice.for_nonfinite(op),
        **said,
    )


def diverged(
    scene: Scene, found: Diagnostic, runaway: tuple[float, float], optimizers: Sequence[Any]
) -> list[Diagnostic]:
    """GG204 where the parameters themselves ran away: the operation that broke is a victim.

    Args:
        scene: the failing step.
        found: what is said of the operation.
        runaway: the largest values of the parameters at first and now.
        optimizers: what took the steps.
    """
    span = optimizer_span(scene.model, optimizers)
    if span is None:
        return [found]
    first, now = runaway
    victim = f", until `{found.op}` broke" if found.op else ""
    rates = sorted({f"{float(g['lr']):g}" for o in optimizers for g in o.param_groups if "lr" in g})
    return [
        replace(
            found,
            span=span.labelled("these steps are too large"),
            related=(*((found.span,) if found.span else ()), *found.related),
            cause=(
                f"the parameters have grown from {first:.2g} to {now:.2g} (the largest of a few "
                f"values of each) since training began{victim}"
            ),
            help=(
                f"lower the learning rate (now {', '.join(rates)}), warm it up, or clip gradients "
                "with `Trainer(gradient_clip_val=1.0)`"
            ),
        )
    ]


def _forward_origin(
    scene: Scene, seen: Sequence[tuple[Call, str]], broken: Sequence[Call]
) -> tuple[Call, str] | None:
    """Return the first call of the forward pass that made a non-finite value which did harm.

    Harm is done where the loss itself is not finite, or where the value went into an operation
    whose derivative broke: masks of attention scores hold infinities that hurt nobody.
    """
    goals = [v for c in broken for v in (*c.inputs, *c.outputs)]
    if not all(_is_finite(scene, v) for v in scene.trace.losses):
        goals += [v.value for v in scene.trace.losses if v.value is not None]
    harmful = scene.lineage.ancestors(goals)
    return next((s for s in seen if not harmful.isdisjoint(s[0].outputs)), None)


def _is_finite(scene: Scene, view: LossView) -> bool:
    number = scene.trace.scalars.get(view.value) if view.value is not None else None
    return number is None or bool(torch.isfinite(number).all())


def _nonfinite_cause(origin: tuple[Call, str] | None, kill: Kill | None, op: str | None) -> str:
    if origin is not None:
        if origin[0].inputs and all(v.kind in {"batch", "unknown"} for v in origin[0].inputs):
            return f"`{op}` is the first operation on a batch that holds {origin[1]}"
        return (
            f"`{op}` is the first operation in the forward pass whose result holds {origin[1]} "
            "although its inputs are finite"
        )
    if kill is None:
        return "where it appeared first could not be observed: the failing step was not traced"
    if any(isinstance(f, dict) and f.get("finite") is False for f in kill.facts.values()):
        return f"`{op}` takes or gives values that are not finite in the forward pass already"
    saved = next(
        (
            f
            for n in ("self", "result", "other")
            if isinstance(f := kill.facts.get(n), dict) and "min" in f
        ),
        None,
    )
    numbers = (
        f"; the values it works on lie in [{saved['min']:.4g}, {saved['max']:.4g}]" if saved else ""
    )
    return f"the forward pass is finite, but the derivative of `{op}` is not{numbers}"
