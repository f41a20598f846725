# SPDX-License-Identifier: Apache-2.0
"""GG104, GG105 and GG106: parameters whose gradient stays `None`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lightning_gradguard import advice, definitions, ops, syntax
from lightning_gradguard.diagnose.cuts import cut_cause, cut_span, group_by_cut, leaves_torch, op_of
from lightning_gradguard.diagnose.kills import backward_span, killer
from lightning_gradguard.diagnose.places import (
    called_from,
    code_of,
    inside_package,
    is_users,
    owner_of,
    span_at,
)
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.words import no_grad_evidence, phrase
from lightning_gradguard.flow import Kill
from lightning_gradguard.lineage import Cut
from lightning_gradguard.rules import Diagnostic, Severity
from lightning_gradguard.source import Span, innermost, locate

__all__ = ["cut_parameters", "missing_parameters", "unused_parameters"]


def missing_parameters(scene: Scene, names: Iterable[str]) -> list[Diagnostic]:
    """GG104, GG105, GG106: parameters whose `.grad` stays `None`, grouped by what cuts them off."""
    names = [n for n in names if n in scene.judged]
    blocked = _function_kills(scene, names)
    rest = [n for n in names if n not in {m for _, group in blocked for m in group}]
    grouped = [(c, _without_own_loss(scene, c, group)) for c, group in group_by_cut(scene, rest)]
    groups = [(c, g) for c, g in grouped if g and not _is_derivative(c)]
    found = [_vanished(scene, kill, group) for kill, group in blocked]
    found += [cut_parameters(scene, cut, group) for cut, group in groups]
    cut_off = {n for _, group in grouped for n in group}
    return found + unused_parameters(scene, [n for n in rest if n not in cut_off])


def _without_own_loss(scene: Scene, cut: Cut, names: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out parameters that have a loss of their own, made and never sent back.

    A stop on another loss is then deliberate, as between actor and critic.
    """
    if scene.automatic or cut.kind is not ops.Kind.STOP:
        return names
    return tuple(n for n in names if not _ends_in_a_number(scene, n))


def _ends_in_a_number(scene: Scene, name: str) -> bool:
    last = scene.lineage.furthest(name)
    if last is None:
        return False
    goal = scene.lineage.ancestors([v.value for v in scene.trace.losses if v.value is not None])
    return all(o.rg and not o.shape and o not in goal for o in last.outputs)


def _is_derivative(cut: Cut) -> bool:
    """Say whether a loss only sees a derivative, in which additive constants have no part."""
    return cut.call.name == "grad" and cut.output is not None and cut.output.rg


def cut_parameters(scene: Scene, cut: Cut, names: tuple[str, ...]) -> Diagnostic:
    """GG104, GG105: parameters that one cut separates from every loss."""
    left = cut.kind in {ops.Kind.EXIT, ops.Kind.COPY} or leaves_torch(cut)
    raised = cut.op.endswith("inference_mode") and not scene.trace.losses
    soft = cut.kind is ops.Kind.STOP and not left and not raised
    code = "GG105" if left else "GG104"
    op = op_of(cut)
    back = innermost(cut.reentry.stack) if cut.reentry is not None else None
    returned = (locate(back, "and came back here, without its history"),) if back else ()
    return finding(
        code,
        scene,
        severity=Severity.WARNING if soft else Severity.ERROR,
        params=names,
        slots={"op": op.removeprefix("torch."), "parameters": phrase(names)},
        op=op,
        span=cut_span(cut),
        related=called_from(cut.stack) + returned,
        cause=cut_cause(cut),
        evidence=no_grad_evidence(scene),
        effect="the optimizer skips these parameters, they keep their initial values",
        help=advice.for_cut(scene.trace, cut),
        metric=advice.metric_of(scene.trace, cut, None),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the way of an unused parameter ends, and why there."""

    span: Span | None
    cause: str
    level: Severity
    op: str | None = None


def unused_parameters(scene: Scene, names: Sequence[str]) -> list[Diagnostic]:
    """GG106: parameters that no operation uses, or whose results reach no loss."""
    groups: dict[object, list[str]] = {}
    places: dict[object, _Place] = {}
    for name in names:
        key, place = _unused_place(scene, name)
        groups.setdefault(key, []).append(name)
        places.setdefault(key, place)
    return [_unused(scene, tuple(group), places[key]) for key, group in groups.items()]


def _unused_place(scene: Scene, name: str) -> tuple[object, _Place]:
    owner, attribute, prefix = owner_of(scene.model, name)
    last = scene.lineage.furthest(name)
    inside = prefix.count(".") > 0 and inside_package(scene.model, prefix)
    level = Severity.INFO if inside or not is_users(type(owner)) else Severity.WARNING
    if last is not None and last.stack:
        cause = (
            f"the last operation on the way from these parameters is `{last.public}`; no loss of "
            "this step depends on its result"
        )
        span = locate(last.stack[0], "this result reaches no loss")
        return ("used", last.stack[0]), _Place(span, cause, level, last.public)
    made = definitions.attribute_span(type(owner), attribute)
    label = f"`{prefix}` is created here, never used in the training step"
    cause = f"`{prefix}` was created but no operation of the training step used it"
    if any(m == prefix or m.startswith(prefix + ".") for m in scene.trace.elsewhere):
        cause = f"`{prefix}` ran in another thread, where operations are not traced"
    return ("idle", prefix), _Place(made.labelled(label) if made else None, cause, level)


def _unused(scene: Scene, names: tuple[str, ...], place: _Place) -> Diagnostic:
    prefix = names[0].rpartition(".")[0] or names[0]
    return finding(
        "GG106",
        scene,
        severity=place.level,
        params=names,
        slots={"parameters": phrase(names)},
        op=place.op,
        span=place.span,
        cause=place.cause,
        evidence=no_grad_evidence(scene),
        effect="the optimizer skips these parameters, they keep their initial values",
        help=(
            f"use `{prefix}` in the loss, delete it, or freeze it\n"
            f"    self.{prefix}.requires_grad_(False)"
        ),
    )


def _function_kills(scene: Scene, names: Sequence[str]) -> list[tuple[Kill, tuple[str, ...]]]:
    """Return the nodes that turned a live gradient into none at all, with what they cost."""
    groups: dict[tuple[str, int], tuple[Kill, list[str]]] = {}
    for flow in scene.flows:
        for name in names:
            leaf = flow.view.params.get(name)
            for kill in (flow.refusals(leaf) if leaf is not None and leaf >= 0 else [])[:1]:
                groups.setdefault((kill.name, kill.seq), (kill, []))[1].append(name)
    return [(kill, tuple(dict.fromkeys(group))) for kill, group in groups.values()]


def _partial_backwards(scene: Scene) -> list[Span]:
    """Return the calls of a backward pass, in the user's file, that name their `inputs`."""
    code = code_of(scene.model, "training_step")
    if code is None:
        return []
    names = {"backward", "manual_backward"}
    return syntax.calls_in_file(code.co_filename, names, outside=(), keyword="inputs")


def _left_out(scene: Scene, names: tuple[str, ...], spans: Sequence[Span]) -> Diagnostic:
    return finding(
        "GG104",
        scene,
        severity=Severity.ERROR,
        params=names,
        slots={"op": "backward(inputs=...)", "parameters": phrase(names)},
        op="torch.Tensor.backward",
        span=spans[0].labelled("computes the gradients of its `inputs` only"),
        related=tuple(spans[1:]),
        cause="these parameters are not among the `inputs` of the backward pass",
        evidence=no_grad_evidence(scene),
        help="leave `inputs` out, or add these parameters to it",
    )


def _vanished(scene: Scene, kill: Kill, names: tuple[str, ...]) -> Diagnostic:
    op, stack = killer(scene, kill)
    partial = _partial_backwards(scene) if scene.trace.function_call(kill.seq) is None else []
    if partial:
        return _left_out(scene, names, partial)
    return finding(
        "GG104",
        scene,
        severity=Severity.ERROR,
        params=names,
        slots={"op": op, "parameters": phrase(names)},
        op=op,
        span=span_at(stack, f"the backward pass of `{op}` hands no gradient on"),
        cause=f"a gradient arrives at `{kill.name}` and none leaves it towards these parameters",
        related=backward_span(scene, kill),
        evidence=no_grad_evidence(scene),
        help="return a gradient for this input from the `backward` of the function",
    )
