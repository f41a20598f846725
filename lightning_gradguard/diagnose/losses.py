# SPDX-License-Identifier: Apache-2.0
"""GG101 and GG102: losses that no gradient leaves."""

from collections.abc import Sequence

from torch import nn

from lightning_gradguard import advice, definitions, syntax
from lightning_gradguard.diagnose.cuts import (
    bare_name,
    cut_cause,
    cut_span,
    grouped_cuts,
    op_of,
    related_spans,
    unnamed_cuts,
)
from lightning_gradguard.diagnose.places import EARLY, code_of, loss_span, span_at
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.words import count_of
from lightning_gradguard.lineage import Cut
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Span, Stack
from lightning_gradguard.trace import Call, LossView, Value

__all__ = ["disconnected_loss", "untraced_loss"]

_WRAPPERS = ("Parameter", "Variable")


def disconnected_loss(scene: Scene, view: LossView) -> list[Diagnostic]:
    """GG101, GG102: data of the parameters flows into a loss that cannot train any of them."""
    if view.params or view.value is None or (view.opaque and not scene.sharded):
        return []
    groups = grouped_cuts(scene, [view])
    if not groups and scene.sharded:
        groups = unnamed_cuts(scene, view)
        if not groups and view.requires_grad:
            return []
    if not groups and (frozen := _frozen_in_step(scene)):
        return [_frozen_loss(scene, view, frozen)]
    if view.requires_grad:
        relabel = _relabel(scene, view)
        return [_relabelled(scene, view, relabel, groups)] if relabel is not None and groups else []
    if not groups or _judged_and_frozen(scene, view):
        return [_unrelated_loss(scene, view)]
    cut, _ = groups[0]
    others = [c for c, _ in groups[1:4]]
    names = tuple(scene.judged)
    return [
        finding(
            "GG101",
            scene,
            params=names,
            op=op_of(cut),
            span=cut_span(cut),
            related=related_spans(cut, others),
            cause=cut_cause(cut),
            help=advice.for_loss(scene.trace, cut, view),
            metric=advice.metric_of(scene.trace, cut, view),
        )
    ]


def _frozen_in_step(scene: Scene) -> list[Call]:
    """Return the calls in this step that set `requires_grad` of judged parameters to false."""
    return [
        c
        for c in scene.trace.calls
        if c.name in {"requires_grad=", "requires_grad_"}
        and c.inputs
        and c.inputs[0].kind == "param"
        and False in (*c.constants, *c.keywords.values())
    ]


def _frozen_loss(scene: Scene, view: LossView, frozen: Sequence[Call]) -> Diagnostic:
    call = frozen[0]
    return finding(
        "GG102" if view.requires_grad else "GG101",
        scene,
        slots={"op": "requires_grad = False"},
        params=tuple(scene.judged),
        op="torch.Tensor.requires_grad_",
        span=span_at(call.stack, "freezes the parameters in the middle of the step"),
        cause=(
            f"{count_of(len(frozen), 'parameter')} lost `requires_grad` in this step before the "
            "loss was computed"
        ),
        help=(
            "freeze for the time of the computation only, and switch `requires_grad` on again "
            "after it"
        ),
    )


def _judged_and_frozen(scene: Scene, view: LossView) -> bool:
    """Say whether parameters of the loss were trained before and do not require grad any more."""
    frozen = {n for n, p in scene.judged.items() if not p.requires_grad}
    return any(v.kind == "param" and v.name in frozen for v in _behind(scene, view))


def _behind(scene: Scene, view: LossView) -> set[Value]:
    """Return every value from which data flows into a loss."""
    return scene.lineage.ancestors([view.value]) if view.value is not None else set()


def _unrelated_loss(scene: Scene, view: LossView) -> Diagnostic:
    """GG101 without a cut: nothing that requires grad takes part in the loss."""
    frozen = {n for n, p in scene.model.named_parameters() if not p.requires_grad}
    behind = _behind(scene, view)
    used = tuple(n for n, v in scene.trace.params.items() if n in frozen and v in behind)
    span = loss_span(view) or syntax.method_span(type(scene.model), "training_step")
    if not used:
        return finding(
            "GG101",
            scene,
            params=tuple(scene.judged),
            span=span,
            cause="no parameter takes part in the computation of the loss in this step",
            help="compute the loss from the output of the module",
        )
    places = _freezing_spans(scene)
    return finding(
        "GG101",
        scene,
        params=tuple(dict.fromkeys((*scene.judged, *used))),
        op="torch.Tensor.requires_grad_",
        span=places[0] if places else span,
        related=tuple(places[1:]),
        cause=f"all {len(used)} parameters that the loss depends on have `requires_grad=False`",
        help="leave the parameters that are to be trained unfrozen",
    )


def untraced_loss(scene: Scene, stack: Stack) -> list[Diagnostic]:
    """GG101 in a step that could not be traced.

    Args:
        scene: the failing step.
        stack: where the backward pass is called, in manual optimization.
    """
    return [
        finding(
            "GG101",
            scene,
            params=tuple(scene.judged),
            span=span_at(stack) or syntax.method_span(type(scene.model), "training_step"),
            cause=(
                "the loss of this step has no history; the step was not traced and could not be "
                "repeated"
            ),
            help="compute the loss from the output of the module in every branch of the step",
        )
    ]


def _freezing_spans(scene: Scene) -> list[Span]:
    """Return the places in the user's classes and their files where parameters are frozen."""
    step = code_of(scene.model, "training_step")
    if step is None:
        return []
    names = {"requires_grad_", "freeze"}
    calls = syntax.calls_in_file(step.co_filename, names, outside=())
    return calls + definitions.assignments_in_file(step.co_filename, "requires_grad")


def _relabel(scene: Scene, view: LossView) -> Call | None:
    """Return the call that turned a cut value into a fresh leaf, or stands where that happened."""
    makers = [v.call for v in _behind(scene, view) if v.call is not None and v.rg]
    named = [c for c in makers if c.name in {"requires_grad_", "requires_grad="}]
    copied = [c for c in makers if c.keywords.get("requires_grad") is True]
    aliased = [c for c in makers if c.func is None and c.name in {"Parameter", "alias"}]
    found = sorted({c.index: c for c in (*named, *copied, *aliased)}.items())
    return found[-1][1] if found else None


def _relabelled(
    scene: Scene, view: LossView, relabel: Call, groups: list[tuple[Cut, tuple[str, ...]]]
) -> Diagnostic:
    cut = groups[0][0]
    op = (
        relabel.public
        if relabel.func is not None
        else {"Parameter": "torch.nn.Parameter"}.get(relabel.name, "torch.autograd.Variable")
    )
    lost = cut_span(cut, f"the gradient was lost here, at `{bare_name(cut)}`")
    span = _relabel_span(scene.model, relabel)
    name = advice.subject(relabel) or "the loss"
    return finding(
        "GG102",
        scene,
        params=tuple(scene.judged),
        slots={"op": _relabel_text(op)},
        op=op,
        span=span.labelled(f"turns `{name}` into a new leaf, does not reconnect it to the model")
        if span
        else lost,
        related=tuple(s for s in (lost, *related_spans(cut, [])) if s is not None),
        cause=(
            "`backward()` now succeeds, but it stops at this new leaf. Every parameter keeps "
            "`grad = None`, and the optimizer skips parameters without a gradient in silence"
        ),
        help=advice.for_relabel(scene.trace, cut, view, span),
        metric=advice.metric_of(scene.trace, cut, view),
    )


def _relabel_text(op: str) -> str:
    bare = op.rpartition(".")[2]
    return {"requires_grad": "requires_grad = True", "requires_grad_": "requires_grad_(True)"}.get(
        bare, f"{bare}(..., requires_grad=True)"
    )


def _wrapping_span(model: nn.Module, relabel: Call) -> Span | None:
    """Return the `nn.Parameter(...)` or `Variable(...)` that no function mode sees."""
    wrapped = [v.call.stack for v in relabel.inputs if v.call is not None]
    step = code_of(model, "training_step")
    codes = [code for stack in (relabel.stack, *wrapped) for code, _ in stack]
    codes += [step] if step is not None else []
    for code in codes:
        spans = syntax.calls_named(code, _WRAPPERS)
        if spans:
            return spans[-1]
    spans = [
        s
        for code in codes[-1:]
        for s in syntax.calls_in_file(code.co_filename, _WRAPPERS, outside=EARLY)
    ]
    return spans[-1] if spans else span_at(relabel.stack)


def _relabel_span(model: nn.Module, relabel: Call) -> Span | None:
    return _wrapping_span(model, relabel) if relabel.func is None else span_at(relabel.stack)
