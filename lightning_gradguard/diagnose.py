# SPDX-License-Identifier: Apache-2.0
"""A traced step and the states of its gradients in, diagnostics out: one function a rule.

This is the only place where a `Diagnostic` is made. The functions are pure: they read a `Scene` and
return findings; when to ask which, and what to do with the answer, is decided elsewhere.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from lightning_gradguard import advice, ops, syntax
from lightning_gradguard.flow import Flow, Kill
from lightning_gradguard.lineage import Cut, Lineage, Term, function_name
from lightning_gradguard.ranks import words
from lightning_gradguard.rules import RULES, Diagnostic, Severity
from lightning_gradguard.source import Site, Span, Stack, is_project_file, locate, project
from lightning_gradguard.trace import FUNCTION, Call, LossView, Trace, Value

__all__ = ["Scene"]

# Methods that run before Lightning asks for the optimizers.
_EARLY = ("__init__", "setup", "configure_model", "prepare_data", "forward_init", "build")
_OVERWRITTEN = re.compile(
    r"\[torch\.[\w.]+ \[([\d, ]*)\]\](?:, which is output \d+ of (?:AsStridedBackward0|(\w+)))?"
)
_SWITCHES = ("no_grad", "inference_mode", "set_grad_enabled")
# Nodes whose derivative is zero everywhere -> public name of the operation.
_STEP_NODES: Mapping[str, str] = {
    "Round": "torch.round", "Floor": "torch.floor", "Ceil": "torch.ceil", "Trunc": "torch.trunc",
    "Sign": "torch.sign", "Sgn": "torch.sgn", "Bernoulli": "torch.bernoulli", "Poisson": "torch.poisson",
    "Normal": "torch.normal", "Fix": "torch.fix",
}  # fmt: skip
# Edges that only add up what comes in: a zero there is a sum that cancels, not a lost gradient.
_SUMMING: Mapping[str, frozenset[int]] = {
    "Add": frozenset({0, 1}), "Sub": frozenset({0, 1}), "Expand": frozenset({0}), "Addmm": frozenset({0}),
    "Convolution": frozenset({2}), "Linear": frozenset({2}), "NativeLayerNorm": frozenset({2}),
    "NativeBatchNorm": frozenset({2}), "Repeat": frozenset({0}), "Baddbmm": frozenset({0}),
    "Embedding": frozenset({0}), "NativeGroupNorm": frozenset({2}), "Addmv": frozenset({0}),
    "Rsub": frozenset({0, 1}), "LinearFunction": frozenset({2}),
}  # fmt: skip
_SATURATING: Mapping[str, str] = {
    "Sigmoid": "result", "Tanh": "result", "Softmax": "result", "LogSoftmax": "result", "Exp": "result",
    "LogSigmoid": "self", "BinaryCrossEntropy": "self", "Erf": "self", "Softplus": "self", "Silu": "self",
    "Gelu": "self", "Elu": "result",
}  # fmt: skip
_SELECTING = frozenset(
    [
        "Relu",
        "Threshold",
        "Clamp",
        "ClampMin",
        "ClampMax",
        "Hardtanh",
        "HardtanhBackward",
        "Hardsigmoid",
        "Hardswish",
        "LeakyRelu",
        "Where",
        "MaskedFill",
        "Relu6",
        "Maximum",
        "Minimum",
        "Max",
        "Min",
        "Amax",
        "Amin",
    ]
)


@dataclass(slots=True)
class Scene:
    """What a rule may look at.

    Attributes:
        trace: the traced step.
        flows: what the backward passes of that step did, one a loss, where they were watched.
        model: the module, for the places where parameters are made.
        judged: name -> parameter that an optimizer trains.
        step: global step of the trace.
        when: how long the state has lasted, as in `in 3 of 3 steps`.
        zeros: parameters whose gradient is all zero.
        hopeless: no parameter at all has received a gradient so far.
    """

    trace: Trace
    model: nn.Module
    judged: Mapping[str, Tensor]
    flows: Sequence[Flow] = ()
    step: int = 0
    when: str = ""
    zeros: frozenset[str] = frozenset()
    hopeless: bool = False
    sharded: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)
    _lineage: list[Lineage] = field(default_factory=list)

    @property
    def lineage(self) -> Lineage:
        """Return the queries on the trace, made once."""
        if not self._lineage:
            self._lineage.append(Lineage(self.trace, self.judged.keys()))
        return self._lineage[0]


# -- GG101, GG102: the whole loss


def disconnected_loss(scene: Scene, view: LossView) -> list[Diagnostic]:
    """GG101, GG102: data of the parameters flows into a loss that cannot train any of them."""
    if view.params or view.opaque or view.value is None:
        return []
    groups = _grouped_cuts(scene, [view])
    if not groups and scene.sharded:
        groups = _unnamed_cuts(scene, view)
    if not groups and (frozen := _frozen_in_step(scene)):
        return [_frozen_loss(scene, view, frozen)]
    if view.requires_grad:
        relabel = _relabel(scene, view)
        return [_relabelled(scene, view, relabel, groups)] if relabel is not None and groups else []
    if not groups:
        return [_unrelated_loss(scene, view)]
    cut, _ = groups[0]
    others = [c for c, _ in groups[1:4]]
    names = tuple(scene.judged)
    return [
        _finding(
            "GG101",
            scene,
            params=names,
            op=_op_of(cut),
            span=_cut_span(cut),
            related=_related_spans(cut, others, view),
            cause=_cut_cause(scene, cut, view),
            help=advice.for_loss(scene.trace, cut, view),
            metric=advice.metric_of(scene.trace, cut, view),
        )
    ]


def _frozen_in_step(scene: Scene) -> list[Call]:
    """Return the calls in this step that set `requires_grad` of judged parameters to false."""
    return [
        c
        for c in scene.trace.calls
        if c.name in {"requires_grad=", "requires_grad_"} and c.inputs and c.inputs[0].kind == "param"
        and False in (*c.constants, *c.keywords.values())
    ]  # fmt: skip


def _frozen_loss(scene: Scene, view: LossView, frozen: Sequence[Call]) -> Diagnostic:
    call = frozen[0]
    span = _site_span(call.stack)
    return _finding(
        "GG102" if view.requires_grad else "GG101",
        scene,
        slots={"op": "requires_grad = False"},
        params=tuple(scene.judged),
        op="torch.Tensor.requires_grad_",
        span=span.labelled("freezes the parameters in the middle of the step") if span else None,
        cause=f"{_count(len(frozen), 'parameter')} lost `requires_grad` in this step before the loss was computed",
        help="freeze for the time of the computation only, and switch `requires_grad` on again after it",
    )


def _unrelated_loss(scene: Scene, view: LossView) -> Diagnostic:
    """GG101 without a cut: nothing that requires grad takes part in the loss."""
    frozen = [n for n, p in scene.model.named_parameters() if not p.requires_grad]
    used = [
        n
        for n, v in scene.trace.params.items()
        if n in frozen and v in scene.lineage.ancestors([view.value])
    ]  # type: ignore[list-item]
    span = _loss_span(view) or syntax.method_span(type(scene.model), "training_step")
    if used and not scene.judged:
        cause = f"all {len(frozen)} parameters of the module have `requires_grad=False`"
        places = _freezing_spans(scene)
        return _finding(
            "GG101", scene, params=tuple(used), op="torch.Tensor.requires_grad_", span=places[0] if places else span,
            related=tuple(places[1:]), cause=cause, help="leave the parameters that are to be trained unfrozen",
        )  # fmt: skip
    return _finding(
        "GG101", scene, params=tuple(scene.judged), op=None, span=span,
        cause="no parameter takes part in the computation of the loss in this step",
        help="compute the loss from the output of the module",
    )  # fmt: skip


def untraced_loss(scene: Scene) -> list[Diagnostic]:
    """GG101 in a step that could not be traced."""
    return [
        _finding(
            "GG101",
            scene,
            params=tuple(scene.judged),
            op=None,
            span=syntax.method_span(type(scene.model), "training_step"),
            cause="the loss of this step has no history; the step was not traced and could not be repeated",
            help="compute the loss from the output of the module in every branch of the step",
        )
    ]


def _freezing_spans(scene: Scene) -> list[Span]:
    codes = [
        getattr(f, "__code__", None) for c in type(scene.model).__mro__ for f in vars(c).values()
    ]
    own = [
        c
        for c in codes
        if c is not None and is_project_file(c.co_filename) and "site-packages" not in c.co_filename
    ]
    return [s for c in own for s in syntax.calls_named(c, {"requires_grad_", "freeze"})]


def _relabel(scene: Scene, view: LossView) -> Call | None:
    """Return the call that turned a cut value into a fresh leaf, or stands where that happened."""
    inside = scene.lineage.ancestors([view.value])  # type: ignore[list-item]
    makers = [v.call for v in inside if v.call is not None and v.rg]
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
    lost = _cut_span(cut, f"the gradient was lost here, at `{_bare(cut)}`")
    span = _relabel_span(scene.model, relabel)
    name = advice.subject(relabel) or "the loss"
    return _finding(
        "GG102",
        scene,
        params=tuple(scene.judged),
        slots={"op": _relabel_text(relabel, op)},
        op=op,
        span=span.labelled(f"turns `{name}` into a new leaf, does not reconnect it to the model")
        if span
        else lost,
        related=tuple(s for s in (lost, *_related_spans(cut, [], view)) if s is not None),
        cause="`backward()` now succeeds, but it stops at this new leaf. Every parameter keeps `grad = None`, and "
        "the optimizer skips parameters without a gradient in silence",
        help=advice.for_relabel(scene.trace, cut, view, span),
        metric=advice.metric_of(scene.trace, cut, view),
    )


def _relabel_text(relabel: Call, op: str) -> str:
    bare = op.rpartition(".")[2]
    return {"requires_grad": "requires_grad = True", "requires_grad_": "requires_grad_(True)"}.get(
        bare, f"{bare}(..., requires_grad=True)"
    )


def _wrapping_span(model: nn.Module, relabel: Call) -> Span | None:
    """Return the `nn.Parameter(...)` or `Variable(...)` that no function mode sees, from the source text."""
    wrapped = [v.call.stack for v in relabel.inputs if v.call is not None]
    step = getattr(type(model).training_step, "__code__", None)
    codes = [code for stack in (relabel.stack, *wrapped) for code, _ in stack] + (
        [step] if step is not None else []
    )
    for code in codes:
        spans = syntax.calls_named(code, {"Parameter", "Variable"})
        if spans:
            return spans[-1]
    spans = [
        s
        for c in codes[-1:]
        for s in syntax.calls_in_file(c.co_filename, {"Parameter", "Variable"}, outside=_EARLY)
    ]
    return spans[-1] if spans else _site_span(relabel.stack)


def _relabel_span(model: nn.Module, relabel: Call) -> Span | None:
    if relabel.func is None:
        return _wrapping_span(model, relabel)
    if not relabel.stack:
        return None
    return locate(relabel.stack[0])


# -- GG103: terms of the loss


def constant_terms(scene: Scene, view: LossView) -> list[Diagnostic]:
    """GG103: additive terms that depend on the parameters only through cuts."""
    if not any(n in scene.judged for n in view.params):
        return []
    found: dict[object, Diagnostic] = {}
    for term in scene.lineage.dead_terms(view):
        cut = term.cuts[0]
        found.setdefault(cut.site, _dead_term(scene, view, term, cut))
    return [*found.values(), *lost_sums(scene, view)]


def flat_terms(scene: Scene, flow: Flow) -> list[Diagnostic]:
    """GG103 after the backward pass: terms whose gradient dies in operations without a slope."""
    view = flow.view
    found: dict[object, Diagnostic] = {}
    for term in scene.lineage.live_terms(view):
        node = view.seqs.get(term.value.seq) if term.value is not None else None
        kills = flow.deaths(node) if node is not None else []
        if not kills or any(
            _zero_story(scene, k)[0] not in {"GG201", "GG202"} or _waits(k, scene) for k in kills
        ):
            continue
        if any(not flow.reaches(leaf) for leaf in flow.below(node)):
            continue  # a parameter depends on this term alone: that is its own finding
        op, stack = _killer(scene, kills[0])
        found.setdefault((op, stack[:1]), _flat_term(scene, view, term, op, stack))
    return list(found.values())


def _flat_term(scene: Scene, view: LossView, term: Term, op: str, stack: Stack) -> Diagnostic:
    amount, share = _share(scene, view, term)
    span = _term_span(term)
    lost = _site_span(stack, f"the gradient of this term dies here, at `{op.rpartition('.')[2]}`")
    return _finding(
        "GG103",
        scene,
        op=op,
        span=span.labelled(f"adds {amount or 'a number'} to the loss and 0 to every gradient")
        if span
        else lost,
        related=tuple(s for s in (lost, _project_span(stack)) if s is not None and s != span),
        cause=f"every way from this term to a parameter goes through `{op}`, whose derivative is 0 everywhere",
        evidence=share,
        help="drop the term and log it instead, or replace it with a differentiable one",
    )


def lost_sums(scene: Scene, view: LossView) -> list[Diagnostic]:
    """GG103: a term that is added to the loss and dropped again, because the sum is not kept."""
    return [
        _finding(
            "GG103",
            scene,
            op=call.public,
            span=_site_span(call.stack, "this sum is computed and not kept"),
            related=tuple(s for s in (_project_span(call.stack),) if s is not None),
            cause=f"`{call.public}` returns a new tensor; nothing reads it, so the loss stays as it was",
            help="assign the sum, as in `loss = loss + term`",
        )
        for call in scene.lineage.discarded_sums(view)
    ]


def _dead_term(scene: Scene, view: LossView, term: Term, cut: Cut) -> Diagnostic:
    span = _term_span(term)
    lost = _cut_span(cut, f"the gradient of this term was lost here, at `{_bare(cut)}`")
    live = [n for n in view.params if n in scene.judged]
    amount, share = _share(scene, view, term)
    return _finding(
        "GG103",
        scene,
        op=_op_of(cut),
        span=span.labelled(f"adds {amount or 'a number'} to the loss and 0 to every gradient")
        if span
        else lost,
        related=tuple(
            s for s in (lost, *_related_spans(cut, term.cuts[1:4], view)) if s is not None and s != span
        ),
        cause="the term holds no differentiable path to a parameter. The rest of the loss still trains "
        f"{_count(len(live), 'parameter')}, so training runs and this term only shifts the logged value",
        evidence=share,
        help=advice.for_term(scene.trace, cut, term),
        metric=advice.metric_of(scene.trace, cut, view, goal=term.value),
    )


def _share(scene: Scene, view: LossView, term: Term) -> tuple[str, str]:
    """Return how much a term adds to the loss, as a number and as a share; empty where it is not known."""
    whole = scene.trace.scalars.get(view.value) if view.value is not None else None
    if term.value is not None:
        part = scene.trace.scalars.get(term.value)
        number = float(part) if part is not None else None
    else:
        number = next((float(c) for c in term.call.constants if isinstance(c, (int, float))), None)
    if number is None or whole is None:
        return "", ""
    text = f"{number:.4g}"
    total = float(whole)
    share = f"{100 * abs(number / total):.1f} % of the loss" if total else "part of a loss of 0"
    return text, f"the term is {share} ({text} of {total:.4g}) at global step {scene.step}"


def _term_span(term: Term) -> Span | None:
    """Return the span of the operand within its addition; the addition itself where it is not found."""
    site = _site(term.call.stack)
    if site is None:
        return None
    node = syntax.node_at(site)
    operand = advice.operand_node(node, term)
    if operand is not None:
        return syntax.span_of(operand, site[0].co_filename, site[0].co_qualname)
    if term.value is not None and term.value.call is not None and term.value.call.stack:
        return locate(term.value.call.stack[0])
    return locate(site)


# -- GG104, GG105, GG106: parameters without a gradient


def missing_parameters(scene: Scene, names: Iterable[str]) -> list[Diagnostic]:
    """GG104, GG105, GG106: parameters whose `.grad` stays `None`, grouped by what cuts them off."""
    names = [n for n in names if n in scene.judged]
    blocked = _function_kills(scene, names)
    rest = [n for n in names if n not in {m for _, group in blocked for m in group}]
    groups = [g for g in _group_by_cut(scene, rest) if not _is_derivative(g[0])]
    found = [_vanished(scene, kill, group) for kill, group in blocked]
    found += [_cut_parameters(scene, cut, group) for cut, group in groups]
    cut_off = {n for _, group in _group_by_cut(scene, rest) for n in group}
    return found + unused_parameters(scene, [n for n in rest if n not in cut_off])


def _is_derivative(cut: Cut) -> bool:
    """Say whether a loss only sees a derivative, in which additive constants have no part."""
    return cut.call.name == "grad" and cut.output is not None and cut.output.rg


def _cut_parameters(scene: Scene, cut: Cut, names: tuple[str, ...]) -> Diagnostic:
    left = cut.kind in {ops.Kind.EXIT, ops.Kind.COPY} or _leaves_torch(cut)
    raised = cut.op.endswith("inference_mode") and not scene.trace.losses
    soft = cut.kind is ops.Kind.STOP and not left and not raised
    code = "GG105" if left else "GG104"
    op = _op_of(cut)
    back = _site(cut.reentry.stack) if cut.reentry is not None else None
    related = [s for s in (_project_span(cut.stack),) if s is not None]
    if back is not None:
        related.append(locate(back, "and came back here, without its history"))
    return _finding(
        code,
        scene,
        severity=Severity.WARNING if soft else Severity.ERROR,
        params=names,
        slots={"op": op.removeprefix("torch."), "parameters": _phrase(names)},
        op=op,
        span=_cut_span(cut),
        related=tuple(related),
        cause=_cut_cause(scene, cut, None),
        evidence=_no_grad_evidence(scene),
        effect="the optimizer skips these parameters, they keep their initial values",
        help=advice.for_cut(scene.trace, cut),
        metric=advice.metric_of(scene.trace, cut, None),
    )


def unused_parameters(scene: Scene, names: Sequence[str]) -> list[Diagnostic]:
    """GG106: parameters that no operation uses, or whose results reach no loss."""
    groups: dict[object, list[str]] = {}
    spans: dict[object, tuple[Span | None, str, Severity, str]] = {}
    for name in names:
        key, info = _unused_place(scene, name)
        groups.setdefault(key, []).append(name)
        spans.setdefault(key, info)
    return [_unused(scene, tuple(group), *spans[key]) for key, group in groups.items()]


def _unused_place(scene: Scene, name: str) -> tuple[object, tuple[Span | None, str, Severity, str]]:
    owner, attribute, prefix = _owner(scene.model, name)
    last = scene.lineage.furthest(name)
    theirs = not _is_users(type(owner)) or (
        prefix.count(".") > 0 and _inside_package(scene.model, prefix)
    )
    level = Severity.INFO if theirs else Severity.WARNING
    if last is not None and last.stack:
        site = _site(last.stack)
        cause = f"the last operation on the way from these parameters is `{last.public}`; no loss of this step depends on its result"
        span = locate(site, "this result reaches no loss") if site else None
        return ("used", site or last.index), (span, cause, level, last.public)
    span = syntax.attribute_span(type(owner), attribute)
    cause = f"`{prefix}` was created but no operation of the training step used it"
    if any(m == prefix or m.startswith(prefix + ".") for m in scene.trace.elsewhere):
        cause = f"`{prefix}` ran in another thread, where operations are not traced"
    return ("idle", prefix), (
        span.labelled(f"`{prefix}` is created here, never used in the training step")
        if span
        else None,
        cause,
        level,
        "unused",
    )


def _unused(
    scene: Scene, names: tuple[str, ...], span: Span | None, cause: str, level: Severity, op: str
) -> Diagnostic:
    prefix = names[0].rpartition(".")[0] or names[0]
    return _finding(
        "GG106",
        scene,
        severity=level,
        params=names,
        slots={"parameters": _phrase(names)},
        op=None if op == "unused" else op,
        span=span,
        cause=cause,
        evidence=_no_grad_evidence(scene),
        effect="the optimizer skips these parameters, they keep their initial values",
        help=f"use `{prefix}` in the loss, delete it, or freeze it\n    self.{prefix}.requires_grad_(False)",
    )


def _function_kills(scene: Scene, names: Sequence[str]) -> list[tuple[Kill, tuple[str, ...]]]:
    """Return the nodes that turned a live gradient into none at all, with what they cost."""
    groups: dict[tuple[str, int], tuple[Kill, list[str]]] = {}
    for flow in scene.flows:
        for name in names:
            leaf = flow.view.params.get(name)
            for kill in (flow.kills(leaf) if leaf is not None and leaf >= 0 else [])[:1]:
                groups.setdefault((kill.name, kill.seq), (kill, []))[1].append(name)
    return [(kill, tuple(dict.fromkeys(group))) for kill, group in groups.values()]


def _vanished(scene: Scene, kill: Kill, names: tuple[str, ...]) -> Diagnostic:
    op, stack = _killer(scene, kill)
    span = _site_span(stack)
    return _finding(
        "GG104",
        scene,
        severity=Severity.ERROR,
        params=names,
        slots={"op": op, "parameters": _phrase(names)},
        op=op,
        span=span.labelled(f"the backward pass of `{op}` hands no gradient on") if span else None,
        cause=f"a gradient arrives at `{kill.name}` and none leaves it towards these parameters",
        related=_backward_span(scene, kill),
        evidence=_no_grad_evidence(scene),
        help="return a gradient for this input from the `backward` of the function",
    )


def _killer(scene: Scene, kill: Kill) -> tuple[str, Stack]:
    """Return the public name of what a node belongs to, and where it was called."""
    hook = _hook_call(scene, kill) if kill.how in {"hook", "cancel"} else None
    if hook is not None or kill.how == "hook":
        return "torch.Tensor.register_hook", hook.stack if hook is not None else _stack_of(
            scene, kill.seq
        )
    seq = kill.facts.get("meets_at", -1)
    call = scene.trace.call_of(seq if seq >= 0 else kill.seq)
    if call is not None and call.func is not None:
        return call.public, call.stack
    inside = scene.trace.function_call(kill.seq)
    if inside is not None:
        return function_name(inside), inside.stack[1:] or inside.stack
    return _function_name(kill.name), call.stack if call is not None else ()


def _stack_of(scene: Scene, seq: int) -> Stack:
    call = scene.trace.call_of(seq)
    return call.stack if call is not None else ()


def _hook_call(scene: Scene, kill: Kill) -> Call | None:
    """Return the `register_hook` on the result of a node."""
    hooks = [c for c in scene.trace.calls if c.name == "register_hook" and c.inputs]
    return next((c for c in hooks if c.inputs[0].seq == kill.seq), None)


def _backward_span(scene: Scene, kill: Kill) -> tuple[Span, ...]:
    """Return the last `return` in the `backward` of the custom Function that a node belongs to."""
    inside = scene.trace.function_call(kill.seq)
    if inside is None:
        return ()
    span = syntax.sibling_return_span(inside.stack[0][0], "backward")
    return (span.labelled("what its backward hands on"),) if span is not None else ()


# -- GG108: no derivative


def undifferentiable_ops(scene: Scene, view: LossView) -> list[Diagnostic]:
    """GG108: an operation on the way to the loss for which torch has no derivative."""
    found = []
    for seq in view.underived:
        call = scene.trace.call_of(seq)
        if call is not None and call.stack:
            found.append(_underived(scene, view, call))
    return found[:1]


def underived_call(scene: Scene, name: str) -> list[Diagnostic]:
    """GG108 after the fact: torch has refused to differentiate an operation of this name."""
    bare = name.removeprefix("aten::").split(".")[0].strip("_")
    calls = [c for c in scene.trace.calls if c.stack and any(c.live) and _same_op(c.name, bare)]
    view = scene.trace.losses[-1] if scene.trace.losses else LossView()
    return [_underived(scene, view, calls[-1])] if calls else []


def _same_op(name: str, bare: str) -> bool:
    short = name.strip("_").removesuffix("=")
    return (
        short == bare or bare.startswith(short) or short.replace("floordiv", "floor_divide") == bare
    )


def _underived(scene: Scene, view: LossView, call: Call) -> Diagnostic:
    before = scene.lineage.ancestors(call.inputs)
    fed = [v.name for v in before if v.kind == "param"]
    names = tuple(n for n in scene.judged if n in fed) or tuple(scene.judged)
    span = _site_span(call.stack)
    return _finding(
        "GG108",
        scene,
        params=names,
        slots={"op": call.public},
        op=call.public,
        span=span.labelled("torch cannot differentiate this") if span else None,
        related=tuple(s for s in (_project_span(call.stack),) if s is not None),
        cause=f"`{call.public}` has no derivative in torch, so `backward()` raises when it arrives there",
        help=advice.for_op(call),
    )


# -- GG109, GG110: errors of torch's backward pass


def overwritten_values(scene: Scene, text: str) -> list[Diagnostic]:
    """GG109: an in-place write destroyed a value that the backward pass needs."""
    match = _OVERWRITTEN.search(text)
    shape = tuple(int(n) for n in match.group(1).split(",") if n.strip()) if match else None
    family = _family(match.group(2)).lower() if match and match.group(2) else ""
    writes = [(c, o) for c in scene.trace.calls for o in c.outputs if c.stack and _overwrites(c, o)]
    fitting = [(c, o) for c, o in writes if shape is None or o.shape == shape]
    ranked = sorted(fitting, key=lambda w: (not _made_by(w[1], family), w[0].index))
    if not ranked:
        return []
    call = ranked[0][0]
    span = _site_span(call.stack)
    return [
        _finding(
            "GG109",
            scene,
            params=tuple(scene.judged),
            slots={"op": call.public},
            op=call.public,
            span=span.labelled("overwrites a value that the backward pass needs") if span else None,
            related=tuple(s for s in (_project_span(call.stack),) if s is not None),
            cause=f"an earlier operation keeps its {'result' if family else 'input'} for the derivative, and this call changes it in place",
            help="write the result to a new tensor, as in `x = x * y` for `x *= y`",
        )
    ]


def _overwrites(call: Call, output: Value) -> bool:
    return any(v.tensor_id == output.tensor_id and v.kind != "param" for v in call.inputs)


def _made_by(value: Value, family: str) -> bool:
    return any(
        v.tensor_id == value.tensor_id
        and v.call is not None
        and family.startswith(v.call.name.strip("_"))
        for v in value.parents
    )


def kept_graphs(scene: Scene) -> list[Diagnostic]:
    """GG110: a value that still carries the graph of an earlier step was used again."""
    found = []
    for prefix, module in scene.model.named_modules():
        for attribute, item in vars(module).items():
            if _holds_graph(item):
                spans = syntax.attribute_spans(type(module), attribute)
                late = [s for s in spans if s.function.rpartition(".")[2] not in _EARLY] or spans
                name = f"{prefix}.{attribute}" if prefix else attribute
                found.append(_kept_graph(scene, name, late[-1] if late else None))
    return found[:1]


def _holds_graph(item: object, depth: int = 3) -> bool:
    if isinstance(item, Tensor):
        return item.grad_fn is not None
    if isinstance(item, dict) and depth:
        return any(_holds_graph(v, depth - 1) for v in item.values())
    return (
        isinstance(item, (list, tuple))
        and depth > 0
        and any(_holds_graph(v, depth - 1) for v in item)
    )


def _kept_graph(scene: Scene, name: str, span: Span | None) -> Diagnostic:
    return _finding(
        "GG110",
        scene,
        params=tuple(scene.judged),
        slots={"name": name},
        span=span.labelled("keeps the graph of this step for the next one") if span else None,
        cause=f"`self.{name}` still carries the graph of an earlier step, whose saved values were freed by its `backward()`",
        help=f"detach what is carried over\n    self.{name} = self.{name}.detach()",
    )


# -- GG201, GG202, GG203: zeros


def zero_parameters(scene: Scene, names: Iterable[str]) -> list[Diagnostic]:
    """GG201, GG202, GG203: parameters whose gradient is exactly zero, grouped by where it died."""
    groups: dict[object, tuple[Kill | None, list[str]]] = {}
    names = list(names)
    scene.zeros = frozenset(names)
    for name in names:
        kills, reached = _kills_of(scene, name)
        if (reached and not kills) or any(_waits(k, scene) for k in kills):
            continue
        kill = min(kills, key=lambda k: (_certainty(k, scene), k.node), default=None)
        key = _kill_key(scene, kill) if kill is not None else None
        groups.setdefault(key, (kill, []))[1].append(name)
    return [_zero(scene, kill, tuple(group)) for kill, group in groups.values()]


def waits(scene: Scene, name: str) -> bool:
    """Say whether a zero gradient may still heal, or says nothing about the parameter."""
    kills, reached = _kills_of(scene, name)
    return (reached and not kills) or any(_waits(k, scene) for k in kills)


def _kills_of(scene: Scene, name: str) -> tuple[list[Kill], bool]:
    found: list[Kill] = []
    reached = False
    for flow in scene.flows:
        leaf = flow.view.params.get(name)
        if leaf is not None and leaf >= 0:
            reached = True
            found.extend(flow.kills(leaf))
    return found, reached


def _kill_key(scene: Scene, kill: Kill) -> object:
    op, stack = _killer(scene, kill)
    return (op, kill.how, stack[:1]) if stack else (kill.name, kill.how, kill.seq)


def _waits(kill: Kill, scene: Scene) -> bool:
    """Say whether this zero is a passing one: it heals, the batch was empty, or a sum cancelled."""
    family = _family(kill.name)
    if kill.heals:
        return True
    weight = kill.facts.get("total_weight")
    if kill.how == "empty" or isinstance(weight, dict) and weight.get("zero"):
        return not scene.hopeless  # one batch may select nothing, but not all of them
    if kill.how == "cancel":
        return kill.name.startswith("AccumulateGrad") and not _matrix_cancels(scene)
    if kill.how == "hook" and kill.name.startswith("AccumulateGrad"):
        return False
    return kill.how == "zero" and kill.edge in _SUMMING.get(family, frozenset())


def _matrix_cancels(scene: Scene) -> bool:
    """Say whether the contributions to a whole matrix cancel; those to a bias do in healthy trainings too."""
    for flow in scene.flows:
        for name, leaf in flow.view.params.items():
            matrix = name in scene.zeros and scene.judged[name].dim() >= 2
            if (
                matrix
                and leaf >= 0
                and any(k.how == "cancel" and k.node == leaf for k in flow.kills(leaf))
            ):
                return True
    return False


def _certainty(kill: Kill, scene: Scene) -> int:
    code = _zero_story(scene, kill)[0]
    return 0 if code in {"GG201", "GG202"} else 1


def _zero(scene: Scene, kill: Kill | None, names: tuple[str, ...]) -> Diagnostic:
    call = scene.trace.call_of(kill.seq) if kill is not None else None
    if kill is None:
        code, op, cause, label = "GG203", None, "where the gradient died could not be observed", ""
    else:
        code, op, cause, label = _zero_story(scene, kill)
    stack = _killer(scene, kill)[1] if kill is not None else ()
    span = _site_span(stack)
    related = [s for s in (_project_span(stack),) if s is not None]
    related += _backward_span(scene, kill) if kill is not None else ()
    layer = _layer_span(scene.model, call)
    theirs = code == "GG203" and bool(stack) and not is_project_file(stack[0][0].co_filename)
    return _finding(
        code,
        scene,
        severity=Severity.INFO if theirs else None,
        params=names,
        slots={
            "op": op or "",
            "name": names[0].rpartition(".")[0] or names[0],
            "parameters": _phrase(names),
            "steps": scene.when.removeprefix("in ") or "every step",
        },
        op=op,
        span=span.labelled(label) if span else layer,
        related=tuple([*related, *([layer] if layer is not None and span is not None else [])]),
        cause=cause,
        evidence=f"max |grad| = 0 {scene.when}".strip(),
        effect="no optimizer step changes these parameters, apart from weight decay and momentum",
        help=advice.for_zero(kill, call, code),
    )


def _zero_story(scene: Scene, kill: Kill) -> tuple[str, str | None, str, str]:
    """Return code, operation, cause and label for a node at which a gradient became zero."""
    family = _family(kill.name)
    call = scene.trace.call_of(kill.seq)
    op = _killer(scene, kill)[0]
    step = _STEP_NODES.get(family)
    rounding = kill.facts.get("rounding_mode")
    if step is not None or (family == "Div" and rounding):
        name = op if call is not None else step
        row = ops.find(step or "floor")
        return (
            "GG202",
            name,
            f"`{name}` {row.why if row else ''}, so nothing before it can learn",
            "the derivative is 0 everywhere",
        )
    if family in {"Softmax", "LogSoftmax"} and _one_wide(kill):
        shape = kill.facts["result"]["shape"]
        cause = f"the input is {_shape(kill.facts['result'])} and the dimension that `{op}` normalises over has one entry, so the output is a constant and its derivative is 0 for every weight"
        return (
            "GG201",
            op,
            cause,
            f"softmax over a dimension of size 1 of {list(shape)} is constant",
        )
    if (call is not None and len(call.inputs) > 1 and call.inputs[0] is call.inputs[1]) or (
        kill.how == "cancel" and not op.endswith("register_hook")
    ):
        return (
            "GG201",
            op,
            f"the contributions that meet at `{op}` cancel exactly",
            "what goes in cancels out",
        )
    if op.endswith("register_hook"):
        return (
            "GG203",
            "torch.Tensor.register_hook",
            f"a live gradient arrives at the result of `{op}` and is zero after its hooks",
            "a tensor hook makes this gradient zero",
        )
    weight = kill.facts.get("total_weight")
    if kill.how == "empty" or isinstance(weight, dict) and weight.get("zero"):
        what = "every label is ignored" if family.startswith("NllLoss") else "nothing is selected"
        return "GG203", op, f"`{op}` gets no entry to learn from: {what} in this batch", what
    if kill.facts.get("zero_factor"):
        return (
            "GG203",
            op,
            f"`{op}` multiplies by a factor that is zero in every entry and does not change",
            "the other factor is all zero",
        )
    if family in _SATURATING:
        return (
            "GG203",
            op,
            _range_story(
                kill, _SATURATING[family], f"`{op}` is saturated, its derivative is exactly 0 there"
            ),
            "saturated: the derivative is exactly 0 here",
        )
    if family in _SELECTING:
        row = ops.find(op)
        why = row.why if row else "passes a gradient only for selected entries"
        return (
            "GG203",
            op,
            _range_story(
                kill, "self" if "self" in kill.facts else "result", f"`{op}` {why}; no entry passes"
            ),
            "no entry passes a gradient",
        )
    return (
        "GG203",
        op,
        f"a gradient arrives at `{op}` (`{kill.name}`) and all of it is zero after it",
        "the gradient becomes zero here",
    )


def _range_story(kill: Kill, key: str, text: str) -> str:
    fact = kill.facts.get(key)
    if not isinstance(fact, dict) or "min" not in fact:
        return text
    what = "output" if key == "result" else "input"
    text += f". Its {what} lies in [{fact['min']:.4g}, {fact['max']:.4g}]"
    return (
        text + f", {100 * fact['positive']:.0f} % of it positive" if "Relu" in kill.name else text
    )


def _one_wide(kill: Kill) -> bool:
    fact, dim = kill.facts.get("result"), kill.facts.get("dim")
    if not isinstance(fact, dict) or not isinstance(dim, int):
        return False
    shape = fact["shape"]
    dim = dim - 2**64 if dim >= 2**63 else dim
    return -len(shape) <= dim < len(shape) and shape[dim] == 1


# -- GG204: not finite


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
    span = _site_span(call.stack) if call is not None else None
    op = (
        call.public
        if call is not None
        else (_function_name(kill.name) if kill is not None else None)
    )
    return [
        _finding(
            "GG204",
            scene,
            params=tuple(names),
            slots={"parameters": _phrase(tuple(names))},
            op=op,
            span=span.labelled("NaN or inf appears here first") if span else None,
            related=tuple(
                s
                for s in (_project_span(call.stack) if call is not None else None,)
                if s is not None
            ),
            cause=_nonfinite_cause(scene, origin, kill, op),
            evidence=scene.when,
            effect="the optimizer writes NaN into these parameters, the next forward pass is NaN",
            help=advice.for_nonfinite(op),
        )
    ]


def _forward_origin(
    scene: Scene, seen: Sequence[tuple[Call, str]], broken: Sequence[Call]
) -> tuple[Call, str] | None:
    """Return the first call of the forward pass that made a non-finite value which did harm.

    Harm is done where the loss itself is not finite, or where the value went into an operation whose
    derivative broke: masks of attention scores hold infinities that hurt nobody.
    """
    goals = [v for c in broken for v in (*c.inputs, *c.outputs)]
    if not all(_is_finite(scene, v) for v in scene.trace.losses):
        goals += [v.value for v in scene.trace.losses if v.value is not None]
    harmful = scene.lineage.ancestors(goals)
    return next((s for s in seen if not harmful.isdisjoint(s[0].outputs)), None)


def _is_finite(scene: Scene, view: LossView) -> bool:
    number = scene.trace.scalars.get(view.value) if view.value is not None else None
    return number is None or bool(torch.isfinite(number).all())


def _nonfinite_cause(
    scene: Scene, origin: tuple[Call, str] | None, kill: Kill | None, op: str | None
) -> str:
    if origin is not None:
        if origin[0].inputs and all(v.kind in {"batch", "unknown"} for v in origin[0].inputs):
            return f"`{op}` is the first operation on a batch that holds {origin[1]}"
        return f"`{op}` is the first operation in the forward pass whose result holds {origin[1]} although its inputs are finite"
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


# -- GG107, GG401, GG402, GG403: the optimizer


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
            _finding(
                "GG107",
                scene,
                params=tuple(names),
                slots={"name": _stem(names)},
                params_total=len(scene.judged) + len(hidden),
                values=sum(hidden[n] for n in names),
                values_total=sum(map(_numel, scene.judged.values())) + sum(hidden.values()),
                span=span.labelled("not registered: `parameters()` does not see what is kept here")
                if span
                else None,
                cause="gradients reach these tensors, but they are no parameters of the module: the optimizer, the "
                "checkpoint and `.to(device)` do not know them",
                effect="they keep their initial values",
                help=advice.for_unregistered(span),
            )
        )
    return found


def unoptimized_parameters(
    scene: Scene, names: Sequence[str], optimizers: Sequence[Any]
) -> list[Diagnostic]:
    """GG401: parameters that get gradients and sit in no optimizer."""
    late = _late_span(scene.model, names)
    holder = _optimizer_span(scene.model, optimizers, names)
    span = (
        late.labelled("made after the optimizer had taken its parameters")
        if late is not None
        else holder
    )
    return [
        _finding(
            "GG401",
            scene,
            params=tuple(names),
            slots={"parameters": _phrase(tuple(names))},
            params_total=len(scene.judged) + len(names),
            values_total=sum(map(_numel, scene.judged.values())) + _size(scene, names),
            op=type(optimizers[0]).__name__ if optimizers else None,
            span=span
            if span is late or span is None or span.label
            else span.labelled(f"does not hold {_phrase(tuple(names))}"),
            related=tuple(s for s in (holder,) if s is not None and late is not None),
            cause="these parameters require grad and receive gradients, but no `param_group` holds them",
            effect="they keep their initial values, and their gradients add up from step to step",
            help="pass them to the optimizer, for example `self.parameters()`, or freeze them",
        )
    ]


def stale_optimizer_parameters(
    scene: Scene, names: Sequence[str], stale: int, optimizers: Sequence[Any]
) -> list[Diagnostic]:
    """GG402: the optimizer holds tensors that are no longer parameters of the module."""
    span = _optimizer_span(scene.model, optimizers)
    replaced = _late_span(scene.model, names)
    return [
        _finding(
            "GG402",
            scene,
            params=tuple(names),
            slots={"tensors": _count(stale, "tensor")},
            op=type(optimizers[0]).__name__ if optimizers else None,
            span=replaced.labelled("made after the optimizer had taken its parameters")
            if replaced
            else span,
            related=tuple(s for s in (span,) if s is not None and replaced is not None),
            cause=f"{_count(stale, 'tensor')} in the optimizer are not among `named_parameters()`, and {_phrase(tuple(names))} "
            "of the module are in no optimizer",
            effect="the optimizer updates tensors that nothing reads",
            help="build the optimizer from the parameters that the module holds when training starts",
        )
    ]


def unchanged_parameters(
    scene: Scene, names: Sequence[str], why: str, span: Span | None, optimizers: Sequence[Any]
) -> list[Diagnostic]:
    """GG403: gradients are there, but no step changes the parameters."""
    place = span or _optimizer_span(scene.model, optimizers)
    return [
        _finding(
            "GG403",
            scene,
            params=tuple(names),
            slots={"parameters": _phrase(tuple(names))},
            op=None,
            span=place,
            cause=why,
            evidence=scene.when,
            effect="they keep their initial values",
            help="let the optimizer see the gradients, with a learning rate above 0",
        )
    ]


def undone_gradients(
    scene: Scene, names: Sequence[str], *, zeroed: bool
) -> list[Diagnostic]:
    """GG203, GG403: gradients that a hook of the step or the clipping has zeroed or dropped."""
    span = _undoing_span(scene.model)
    if not zeroed:
        why = "the gradients were there before the hooks of the optimizer step and gone after them"
        return unchanged_parameters(scene, names, why, span, ())
    return [
        _finding(
            "GG203",
            scene,
            params=tuple(names),
            slots={"parameters": _phrase(names), "steps": "every step"},
            op="torch.nn.utils.clip_grad_norm_" if span and "clip_grad" in span.text else None,
            span=span.labelled("zeroes the gradients") if span else None,
            cause="the gradients were alive before the hooks of the optimizer step and zero after them",
            effect="no optimizer step changes these parameters",
            help="clip to a norm above 0, and leave the gradients alone otherwise",
        )
    ]


def _undoing_span(model: nn.Module) -> Span | None:
    code = getattr(getattr(type(model), "training_step", None), "__code__", None)
    names = {"clip_grad_norm_", "clip_grad_value_", "clip_gradients"}
    spans = syntax.calls_in_file(code.co_filename, names, outside=()) if code is not None else []
    return spans[0] if spans else syntax.clearing_span(type(model))


def inference_values(scene: Scene) -> list[Diagnostic]:
    """GG104: a value made in inference mode went into an operation that needs it for its backward."""
    calls = [c for c in scene.trace.calls if c.off is not None and c.off.how.endswith("inference_mode")]
    live = [(c, v) for c in calls for v, rg in zip(c.inputs, c.live, strict=True) if rg]
    if not live:
        return []
    cut = Cut(live[0][0], live[0][1], live[0][0].outputs[0] if live[0][0].outputs else None)
    return [_cut_parameters(scene, cut, tuple(scene.judged))]


def unassigned_gradients(scene: Scene) -> list[Diagnostic]:
    """GG403: the optimizers step, and nothing has ever filled a gradient."""
    call = next((c for c in scene.trace.calls if c.name == "grad" and c.stack), None)
    if call is None:
        return []
    why = "`torch.autograd.grad` returns gradients and leaves `.grad` alone; nothing has written them there"
    span = _site_span(call.stack)
    place = span.labelled("the gradients are returned, not stored") if span else None
    return unchanged_parameters(scene, tuple(scene.judged), why, place, ())


# -- GG301, GG302: ranks that differ


def divergent_parameters(
    scene: Scene,
    names: Sequence[str],
    having: Sequence[int],
    lacking: Sequence[int],
    *,
    waits: bool,
    use: Span | None = None,
) -> list[Diagnostic]:
    """GG301: the graph reaches these parameters on some ranks only.

    Args:
        scene: the step, best on a rank whose graph reaches them.
        names: the parameters.
        having: ranks whose graph reaches them.
        lacking: the other ranks.
        waits: the gradient exchange waits for the ranks that lack them, as plain DDP does.
        use: a call that reads one of them, where an earlier trace showed it.
    """
    span = use or first_use(scene, names)
    if span is not None:
        span = span.labelled(f"used here on {words(having)}, not on {words(lacking)}")
    else:
        owner, attribute, prefix = _owner(scene.model, names[0])
        made = syntax.attribute_span(type(owner), attribute)
        span = (
            made.labelled(f"`{prefix}` is used on {words(having)}, not on {words(lacking)}")
            if made
            else None
        )
    size = len(having) + len(lacking)
    lost = (
        f"the gradient exchange waits for gradients that {words(lacking)} never sends: the job hangs until the "
        "time limit of the process group ends it"
        if waits
        else f"the exchange counts {words(lacking)} as zero and divides by {size}: each of these parameters silently "
        f"gets {len(having)}/{size} of the average of the ranks that use it"
        + (", that is half of it" if 2 * len(having) == size else "")
    )
    return [
        _finding(
            "GG301",
            scene,
            params=tuple(names),
            slots={
                "parameters": _phrase(tuple(names)),
                "some": words(having),
                "others": words(lacking),
            },
            span=span,
            ranks=tuple(lacking),
            cause=f"the loss depends on {_phrase(tuple(names))} on {words(having)}; on {words(lacking)} no path leads from the loss to them",
            evidence=scene.when,
            effect=lost,
            help="let every rank use the same layers in the same step; where a rank has nothing to add, multiply by 0 instead of leaving the layer out",
        )
    ]


def divergent_losses(
    scene: Scene,
    base: Diagnostic | None,
    having: Sequence[int],
    lacking: Sequence[int],
    *,
    leaf: bool,
) -> list[Diagnostic]:
    """GG302: the loss of some ranks cannot train anything, that of the others can.

    Args:
        scene: the step.
        base: what the first of the failing ranks found about its own loss, if it did.
        having: ranks with a connected loss.
        lacking: the other ranks.
        leaf: `backward()` succeeds on the failing ranks, and reaches no parameter.
    """
    what = (
        "is a leaf of its own, so `backward()` succeeds there and reaches no parameter"
        if leaf
        else "has no graph, so `backward()` raises there"
    )
    span = base.span if base is not None else syntax.method_span(type(scene.model), "training_step")
    return [
        _finding(
            "GG302",
            scene,
            params=tuple(scene.judged),
            slots={"some": words(having), "others": words(lacking)},
            span=span,
            related=base.related if base is not None else (),
            op=base.op if base is not None else None,
            metric=base.metric if base is not None else None,
            ranks=tuple(lacking),
            cause=f"on {words(lacking)} the loss {what}"
            + (f"; {base.cause}" if base is not None and base.cause and not leaf else ""),
            evidence=scene.when,
            effect=f"{words(having)} would wait for gradients that {words(lacking)} never sends",
            help=base.help
            if base is not None and base.help
            else "compute the loss in the same way on every rank",
        )
    ]


def awaited_parameters(scene: Scene, names: Sequence[str]) -> list[Diagnostic]:
    """GG104, GG105, GG106 under plain DDP: no rank sends a gradient that all of them wait for."""
    judged = [n for n in names if n in scene.judged]
    found = missing_parameters(scene, judged) + unused_parameters(
        scene, [n for n in names if n not in scene.judged]
    )
    effect = (
        "DDP waits for these gradients: in this step it would average none at all, so the copies of the model "
        "drift apart, and the next forward pass raises an error of torch's that names no parameter"
    )
    other = "let DDP look for unused parameters, with `DDPStrategy(find_unused_parameters=True)`, or "
    return [
        replace(
            d,
            severity=Severity.ERROR,
            effect=effect,
            help=other + d.help,
        )
        for d in found
    ]


def gradless_shards(scene: Scene, names: Sequence[str], *, zero: bool) -> list[Diagnostic]:
    """GG106, GG203 where parameters are spread over ranks and no trace can follow their shards."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition(".")[0], []).append(name)
    return [_gradless(scene, tuple(group), zero=zero) for group in groups.values()]


def _gradless(scene: Scene, names: tuple[str, ...], *, zero: bool) -> Diagnostic:
    owner, attribute, prefix = _owner(scene.model, names[0])
    span = syntax.attribute_span(type(owner), attribute)
    why = (
        "every shard of their gradient is exactly zero on every rank. Where a sharded unit holds used and unused "
        "parameters together, an unused one shows as zero as well"
        if zero
        else "no rank receives a gradient for these parameters"
    )
    return _finding(
        "GG203" if zero else "GG106",
        scene,
        params=names,
        slots={
            "op": "",
            "name": prefix,
            "parameters": _phrase(names),
            "steps": scene.when.removeprefix("in ") or "every step",
        },
        span=span.labelled(f"`{prefix}` is created here") if span else None,
        cause=why,
        evidence=("max |grad| = 0 over all ranks " if zero else "`.grad` was `None` on all ranks ")
        + scene.when,
        effect="no optimizer step changes these parameters, apart from weight decay and momentum"
        if zero
        else "the optimizer skips these parameters, they keep their initial values",
        help=f"use `{prefix}` in the loss, delete it, or freeze it\n    self.{prefix}.requires_grad_(False)",
    )


def first_use(scene: Scene, names: Sequence[str]) -> Span | None:
    """Return the first call of the step that reads one of these parameters."""
    values = {id(v) for n in names if (v := scene.trace.params.get(n)) is not None}
    for call in scene.trace.calls:
        if call.stack and any(id(v) in values for v in call.inputs):
            return locate(call.stack[0])
    return None


def unchecked(scene: Scene, what: str, why: str) -> list[Diagnostic]:
    """GG901: something could not be checked."""
    return [_finding("GG901", scene, slots={"what": what}, span=None, cause=why)]


def unused_suppression(scene: Scene, span: Span, comment: str) -> list[Diagnostic]:
    """GG902: an in-line comment that suppressed nothing."""
    return [_finding("GG902", scene, slots={"comment": comment}, span=span)]


# The order of precedence: a finding of an earlier rule makes later ones about the same thing idle.
CHECKS: tuple[tuple[str, Callable[..., list[Diagnostic]]], ...] = (
    ("GG101", disconnected_loss), ("GG102", disconnected_loss), ("GG108", undifferentiable_ops),
    ("GG109", overwritten_values), ("GG110", kept_graphs),
    ("GG103", constant_terms), ("GG104", missing_parameters), ("GG105", missing_parameters),
    ("GG106", unused_parameters), ("GG107", unregistered_parameters), ("GG201", zero_parameters),
    ("GG202", zero_parameters), ("GG203", zero_parameters), ("GG204", nonfinite_gradients),
    ("GG301", divergent_parameters), ("GG302", divergent_losses),
    ("GG401", unoptimized_parameters), ("GG402", stale_optimizer_parameters),
    ("GG403", unchanged_parameters), ("GG901", unchecked), ("GG902", unused_suppression),
)  # fmt: skip


# -- the one door


def _finding(
    code: str,
    scene: Scene,
    *,
    span: Span | None,
    slots: Mapping[str, str] | None = None,
    params: tuple[str, ...] = (),
    severity: Severity | None = None,
    **details: Any,
) -> Diagnostic:
    """Make a diagnostic: the static part from the rule, the dynamic part from the arguments."""
    rule = RULES[code]
    counts = {
        "params_total": len(scene.judged) or len(params),
        "values": _size(scene, params),
        "values_total": sum(scene.sizes.get(n) or _numel(p) for n, p in scene.judged.items()),
    }
    return Diagnostic(
        code=code,
        name=rule.name,
        severity=severity or rule.severity,
        message=rule.message.format(**slots) if slots else rule.message,
        span=span,
        params=params,
        step=scene.step,
        **(counts | details),
    )


def _size(scene: Scene, names: Iterable[str]) -> int:
    """Return the number of values of some parameters."""
    named = dict(scene.model.named_parameters())
    held = {**named, **scene.judged}
    return sum(scene.sizes.get(n) or _numel(held[n]) for n in names if n in held)


# -- cuts


def _grouped_cuts(scene: Scene, views: Sequence[LossView]) -> list[tuple[Cut, tuple[str, ...]]]:
    """Return the cuts between the judged parameters and some losses, the one that costs most first."""
    goals = [v.value for v in views if v.value is not None]
    cuts = scene.lineage.cuts(goals)
    return _group(scene, cuts, list(scene.judged))


def _unnamed_cuts(scene: Scene, view: LossView) -> list[tuple[Cut, tuple[str, ...]]]:
    """Return the cut nearest to the model where the trace cannot tell its parameters by name."""
    leaves = [t for ref in view.leaf_refs.values() if (t := ref()) is not None]
    if view.value is None or any(t.dim() for t in leaves):
        return []
    cuts = [c for c in scene.lineage.cuts([view.value]).values() if c]
    return [(cuts[-1][0], tuple(scene.judged))] if cuts else []


def _group_by_cut(scene: Scene, names: Sequence[str]) -> list[tuple[Cut, tuple[str, ...]]]:
    goals = [v.value for v in scene.trace.losses if v.value is not None]
    return _group(scene, scene.lineage.cuts(goals), names) if names else []


def _group(
    scene: Scene, cuts: Mapping[Any, tuple[Cut, ...]], names: Sequence[str]
) -> list[tuple[Cut, tuple[str, ...]]]:
    groups: dict[object, tuple[Cut, list[str]]] = {}
    for name in names:
        value = scene.trace.params.get(name)
        mine = scene.lineage.main_cuts(name, cuts.get(value, ())) if value is not None else ()
        if mine:
            groups.setdefault(mine[0].site, (mine[0], []))[1].append(name)
    ordered = sorted(groups.values(), key=lambda g: (-len(g[1]), g[0].doubt, g[0].call.index))
    return [(cut, tuple(group)) for cut, group in ordered]


def _op_of(cut: Cut) -> str:
    """Return the operation to name: where a deliberate stop only prepares an exit, the exit."""
    return f"torch.Tensor.{_exit_after(cut)}" if _leaves_torch(cut) else cut.op


def _leaves_torch(cut: Cut) -> bool:
    """Say whether a detached value goes on to leave torch on the same line."""
    return cut.kind is ops.Kind.STOP and cut.call.off is None and bool(_exit_after(cut))


def _exit_after(cut: Cut) -> str:
    """Return the exit that follows a call in the same chain, as in `.detach().cpu().numpy()`."""
    text = syntax.expression(cut.call.stack[0]) if cut.call.stack else ""
    line = locate(cut.call.stack[0]).text if cut.call.stack else ""
    after = line.partition(text)[2] if text else ""
    return next(
        (
            name
            for name in ("numpy", "item", "tolist")
            if re.match(rf"(\.\w+\(\))*\.{name}\(", after)
        ),
        "",
    )


def _cut_span(cut: Cut, label: str = "") -> Span | None:
    off = cut.call.off
    text = label or _cut_label(cut)
    if off is not None and off.how != FUNCTION:
        found = _switch_span(cut)
        return found.labelled(text) if found is not None else None
    return _site_span(cut.stack, text)


def _switch_span(cut: Cut) -> Span | None:
    """Return where recording was switched off: decorator, block, or the call that did it."""
    off = cut.call.off
    if off is None:
        return None
    if off.decorated is not None:
        found = syntax.decorator_span(off.decorated, _SWITCHES)
        if found is not None:
            return found
    if off.stack:
        return locate(off.stack[0])
    for site in cut.call.stack:
        found = syntax.with_span(site, _SWITCHES) or syntax.decorator_span(site[0], _SWITCHES)
        if found is not None:
            return found
    return _site_span(cut.call.stack)


def _cut_label(cut: Cut) -> str:
    row = ops.find(cut.op)
    if row is not None and row.kind is not ops.Kind.SHAPE:
        return f"`{_bare(cut)}` {row.why}"
    if cut.call.off is not None and cut.call.off.how == FUNCTION:
        return f"the custom function `{cut.op}` returns a result without a gradient"
    if cut.op.endswith("checkpoint"):
        return "a reentrant checkpoint whose inputs need no gradient records nothing"
    return f"`{_bare(cut)}` gives a result without a gradient"


def _cut_cause(scene: Scene, cut: Cut, view: LossView | None) -> str:
    name = advice.subject(cut.call) or "the input"
    before = f"`{name}` {cut.value.describe()} requires grad"
    if cut.output is None:
        text = f"{before}; `{_bare(cut)}` turns it into a plain Python value, which has no history"
    elif cut.call.off is not None and cut.call.off.how != FUNCTION:
        text = f"{before}, but recording is switched off by `{cut.op}`, so `{cut.call.public}` and all that follows has no history"
    elif not (cut.output.dtype.is_floating_point or cut.output.dtype.is_complex):
        kind = "a boolean" if cut.output.dtype is torch.bool else "an integer"
        text = f"{before}; `{_bare(cut)}` gives {cut.output.describe()}, and {kind} tensor cannot carry a gradient"
    else:
        text = f"{before}; `{_bare(cut)}` gives {cut.output.describe()} without a history"
    return text


def _related_spans(cut: Cut, others: Sequence[Cut], view: LossView) -> tuple[Span, ...]:
    spans = [_project_span(cut.stack)]
    if cut.reentry is not None and cut.reentry.stack:
        spans.append(locate(cut.reentry.stack[0], "came back here, without its history"))
    spans += [_cut_span(c, f"a gradient is lost here as well, at `{_bare(c)}`") for c in others]
    return tuple(s for s in spans if s is not None)


def _bare(cut: Cut) -> str:
    return cut.op.removesuffix(".__get__").rpartition(".")[2]


# -- places


def _site(stack: Stack) -> Site | None:
    return stack[0] if stack else None


def _site_span(stack: Stack, label: str = "") -> Span | None:
    site = _site(stack)
    return locate(site, label) if site is not None else None


def _project_span(stack: Stack) -> Span | None:
    """Return the nearest place in the user's project where the blamed one lies in a package."""
    first, mine = _site(stack), project(stack)
    if first is None or mine is None or mine == first:
        return None
    return locate(mine, "called from here")


def _loss_span(view: LossView) -> Span | None:
    call = view.value.call if view.value is not None else None
    while call is not None and not call.stack:
        call = next((v.call for v in call.inputs if v.call is not None), None)
    return _site_span(call.stack) if call is not None else None


def _layer_span(model: nn.Module, call: Call | None) -> Span | None:
    """Return where the layer that made a call is defined, if it is one of torch's own."""
    if call is None or not call.module:
        return None
    owner, attribute, prefix = _owner(model, call.module + ".x")
    if not type(owner).__module__.startswith("torch.nn"):
        return None
    head, _, rest = prefix.partition(".")
    path = prefix.split(".")
    for depth in range(len(path) - 1, -1, -1):
        parent = model.get_submodule(".".join(path[:depth]))
        if not type(parent).__module__.startswith("torch.nn"):
            return _definition(type(parent), path[depth:], type(owner).__name__)
    return None


def _definition(cls: type, path: Sequence[str], kind: str) -> Span | None:
    """Return the span of a layer inside the assignment of its container."""
    whole = syntax.attribute_span(cls, path[0])
    if whole is None:
        return None
    exact = syntax.element_span(cls, path, kind)
    return (exact or whole).labelled(f"the layer `{'.'.join(path)}` is defined here")


def _owner(model: nn.Module, name: str) -> tuple[nn.Module, str, str]:
    """Return the user's module that holds a parameter, the attribute there, and its dotted path."""
    path = name.split(".")[:-1]
    for depth in range(len(path) - 1, -1, -1):
        try:
            parent = model.get_submodule(".".join(path[:depth]))
        except AttributeError:
            continue
        if not type(parent).__module__.startswith("torch.nn"):
            return parent, path[depth], ".".join(path[: depth + 1])
    return model, name.split(".")[-1] if not path else path[0], name if not path else path[0]


def _is_users(cls: type) -> bool:
    code = next(
        (c for f in vars(cls).values() if (c := getattr(f, "__code__", None)) is not None), None
    )
    return code is None or is_project_file(code.co_filename)


def _inside_package(model: nn.Module, prefix: str) -> bool:
    path = prefix.split(".")[:-1]
    parents = [model.get_submodule(".".join(path[:d])) for d in range(1, len(path) + 1)]
    return any(
        not _is_users(type(p)) and not type(p).__module__.startswith("torch.nn") for p in parents
    )


def _optimizer_span(
    model: nn.Module, optimizers: Sequence[Any], outside: Sequence[str] = ()
) -> Span | None:
    """Return the call that makes the optimizer; of several, one that was to hold the parameters outside."""
    code = getattr(getattr(type(model), "configure_optimizers", None), "__code__", None)
    if code is None:
        return None
    names = {type(o).__name__ for o in optimizers}
    spans = syntax.calls_named(code, names)
    heads = {f"self.{n.partition('.')[0]}" for n in outside}
    spare = [s for s in spans if any(h + "." in s.text or h + ")" in s.text for h in heads)]
    if spare:
        return spare[0].labelled("made here, but `configure_optimizers` does not return it")
    last = syntax.return_span(type(model), "configure_optimizers")
    return spans[0] if spans else last or syntax.method_span(type(model), "configure_optimizers")


def _late_span(model: nn.Module, names: Sequence[str]) -> Span | None:
    """Return what made or changed the module that holds the first of the names after construction."""
    if not names:
        return None
    owner, attribute, _ = _owner(model, names[0])
    for cls in dict.fromkeys((*type(owner).__mro__, *type(model).__mro__)):
        spans = [
            s
            for s in syntax.attribute_spans(cls, attribute)
            if s.function.rpartition(".")[2] not in _EARLY
        ]
        if spans:
            return spans[-1]
    if ".parametrizations." in names[0]:
        return syntax.mention_span(
            type(model), names[0].partition(".parametrizations")[0], outside=_EARLY
        )
    return None


# -- words


def _phrase(names: Sequence[str]) -> str:
    return f"`{names[0]}`" if len(names) == 1 else _count(len(names), "parameter")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _stem(names: Sequence[str]) -> str:
    return (
        names[0] if len(names) == 1 else names[0].partition(".")[0] if "." in names[0] else names[0]
    )


def _no_grad_evidence(scene: Scene) -> str:
    return f"`.grad` was `None` {scene.when}".strip() if scene.when else ""


def _function_name(node: str) -> str:
    return node.removesuffix("Backward") if "Backward0" not in node else _family(node)


def _family(name: str) -> str:
    return name.partition("Backward")[0]


def _shape(fact: Mapping[str, Any]) -> str:
    return f"{fact['dtype']}[{', '.join(map(str, fact['shape']))}]"


def _numel(param: Tensor) -> int:
    return 0 if isinstance(param, nn.parameter.UninitializedTensorMixin) else param.numel()
