# SPDX-License-Identifier: Apache-2.0
"""GG107 and the GG4 block: what the optimizers hold and whether it moves."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from lightning_gradguard import advice, definitions, syntax
from lightning_gradguard.diagnose.places import code_of, late_span, optimizer_span, span_at
from lightning_gradguard.diagnose.scene import Scene, finding, numel_of, size_of
from lightning_gradguard.diagnose.words import count_of, phrase, stem_of
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Span

__all__ = [
    "stale_optimizer_parameters",
    "toggling_span",
    "unassigned_gradients",
    "unchanged_parameters",
    "undone_gradients",
    "unoptimized_parameters",
    "unregistered_parameters",
]


def unregistered_parameters(
    scene: Scene, hidden: Mapping[str, int], where: Mapping[str, Span | None]
) -> list[Diagnostic]:
    """GG107: tensors that the loss could train but that are no parameters of the module."""
    groups: dict[object, list[str]] = {}
    for name in hidden:
        groups.setdefault(where.get(name) or name.partition(".")[0], []).append(name)
    found = []
    for place, names in groups.items():
        span = place if isinstance(place, Span) else None
        found.append(
            finding(
                "GG107",
                scene,
                params=tuple(names),
                slots={"name": stem_of(names)},
                params_total=len(scene.judged) + len(hidden),
                values=sum(hidden[n] for n in names),
                values_total=sum(map(numel_of, scene.judged.values())) + sum(hidden.values()),
                span=span.labelled("not registered: `parameters()` does not see what is kept here")
                if span
                else None,
                cause=(
                    "gradients reach these tensors, but they are no parameters of the module: "
                    "the optimizer, the checkpoint and `.to(device)` do not know them"
                ),
                effect="they keep their initial values",
                help=advice.for_unregistered(),
            )
        )
    return found


def unoptimized_parameters(
    scene: Scene, names: Sequence[str], optimizers: Sequence[Any]
) -> list[Diagnostic]:
    """GG401: parameters that get gradients and sit in no optimizer."""
    late = late_span(scene.model, names)
    holder = optimizer_span(scene.model, optimizers, names)
    span = (
        late.labelled("made after the optimizer had taken its parameters")
        if late is not None
        else holder
    )
    return [
        finding(
            "GG401",
            scene,
            params=tuple(names),
            slots={"parameters": phrase(tuple(names))},
            params_total=len(scene.judged) + len(names),
            values_total=sum(map(numel_of, scene.judged.values())) + size_of(scene, names),
            op=type(optimizers[0]).__name__ if optimizers else None,
            span=span
            if span is late or span is None or span.label
            else span.labelled(f"does not hold {phrase(tuple(names))}"),
            related=tuple(s for s in (holder,) if s is not None and late is not None),
            cause=(
                "these parameters require grad and receive gradients, but no `param_group` "
                "holds them"
            ),
            effect="they keep their initial values, and their gradients add up from step to step",
            help="pass them to the optimizer, for example `self.parameters()`, or freeze them",
        )
    ]


def stale_optimizer_parameters(
    scene: Scene, names: Sequence[str], stale: int, optimizers: Sequence[Any]
) -> list[Diagnostic]:
    """GG402: the optimizer holds tensors that are no longer parameters of the module."""
    span = optimizer_span(scene.model, optimizers)
    replaced = late_span(scene.model, names)
    return [
        finding(
            "GG402",
            scene,
            params=tuple(names),
            slots={"tensors": count_of(stale, "tensor")},
            op=type(optimizers[0]).__name__ if optimizers else None,
            span=replaced.labelled("made after the optimizer had taken its parameters")
            if replaced
            else span,
            related=tuple(s for s in (span,) if s is not None and replaced is not None),
            cause=(
                f"{count_of(stale, 'tensor')} in the optimizer are not among "
                f"`named_parameters()`, and {phrase(tuple(names))} of the module are in no "
                "optimizer"
            ),
            effect="the optimizer updates tensors that nothing reads",
            help=(
                "build the optimizer from the parameters that the module holds when training starts"
            ),
        )
    ]


def unchanged_parameters(
    scene: Scene, names: Sequence[str], why: str, span: Span | None, optimizers: Sequence[Any]
) -> list[Diagnostic]:
    """GG403: gradients are there, but no step changes the parameters."""
    place = span or optimizer_span(scene.model, optimizers)
    return [
        finding(
            "GG403",
            scene,
            params=tuple(names),
            slots={"parameters": phrase(tuple(names))},
            op=None,
            span=place,
            cause=why,
            evidence=scene.when,
            effect="they keep their initial values",
            help="let the optimizer see the gradients, with a learning rate above 0",
        )
    ]


def undone_gradients(scene: Scene, names: Sequence[str], *, zeroed: bool) -> list[Diagnostic]:
    """GG203, GG403: gradients that a hook of the step or the clipping has zeroed or dropped."""
    span = _undoing_span(scene.model)
    if not zeroed:
        why = "the gradients were there before the hooks of the optimizer step and gone after them"
        return unchanged_parameters(scene, names, why, span, ())
    return [
        finding(
            "GG203",
            scene,
            params=tuple(names),
            slots={"parameters": phrase(names), "steps": "every step"},
            op="torch.nn.utils.clip_grad_norm_" if span and "clip_grad" in span.text else None,
            span=span.labelled("zeroes the gradients") if span else None,
            cause=(
                "the gradients were alive before the hooks of the optimizer step and zero after "
                "them"
            ),
            effect="no optimizer step changes these parameters",
            help="clip to a norm above 0, and leave the gradients alone otherwise",
        )
    ]


def toggling_span(model: nn.Module) -> Span | None:
    """Return the first `toggle_optimizer` or freezing call in the file of the training step."""
    code = code_of(model, "training_step")
    if code is None:
        return None
    names = {"toggle_optimizer", "requires_grad_", "freeze"}
    found = syntax.calls_in_file(code.co_filename, names, outside=("__init__",))
    found += definitions.assignments_in_file(code.co_filename, "requires_grad")
    return found[0] if found else None


def _undoing_span(model: nn.Module) -> Span | None:
    code = code_of(model, "training_step")
    names = {"clip_grad_norm_", "clip_grad_value_", "clip_gradients"}
    spans = syntax.calls_in_file(code.co_filename, names, outside=()) if code is not None else []
    return spans[0] if spans else definitions.clearing_span(type(model))


def unassigned_gradients(scene: Scene) -> list[Diagnostic]:
    """GG403: the optimizers step, and nothing has ever filled a gradient."""
    call = next((c for c in scene.trace.calls if c.name == "grad" and c.stack), None)
    if call is None:
        return []
    why = (
        "`torch.autograd.grad` returns gradients and leaves `.grad` alone; nothing has written "
        "them there"
    )
    span = span_at(call.stack)
    place = span.labelled("the gradients are returned, not stored") if span else None
    return unchanged_parameters(scene, tuple(scene.judged), why, place, ())
