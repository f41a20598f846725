# SPDX-License-Identifier: Apache-2.0
"""What to write instead, in the user's own expressions."""

import ast
import re
from collections.abc import Sequence

from lightning_gradguard import ops, syntax
from lightning_gradguard.lineage import Cut, Term
from lightning_gradguard.metrics import Budget, Metric, beside, recognise
from lightning_gradguard.source import Span, locate, project
from lightning_gradguard.surrogate import Surrogate, surrogate
from lightning_gradguard.trace import FREE, HARD, Call, LossView, Trace, Value
from lightning_gradguard.usage import attribute_name, metric_lines

__all__ = [
    "for_cut",
    "for_loss",
    "for_nonfinite",
    "for_op",
    "for_relabel",
    "for_term",
    "for_zero",
    "metric_of",
    "metric_of_step",
    "offers",
    "step_cut",
    "subject",
]


# What may be spent on metrics that nobody asked about.
_BRIEF = Budget(work=4_000, values=1 << 16, numbers=6, seconds=0.02)
# What is said of a number that is known by its family only.
_FAMILIES = {
    "share": "it is like an accuracy, a share of right answers by a bound of your own",
    "boxes": "it is an overlap of boxes, row by row",
}


def subject(call: Call) -> str:
    """Return the text of what a call works on, `""` if unknown."""
    if not call.stack:
        return ""
    texts = syntax.operands(call.stack[0])
    return texts[0] if texts and len(texts[0]) < 60 else ""  # noqa: PLR2004


def for_loss(trace: Trace, cut: Cut, view: LossView) -> str:
    """Return what to do about a loss that no gradient leaves."""
    found = recognised(trace, cut, view)
    if found is None:
        return _without(cut)
    loss = surrogate(trace, found)
    where = f" in `{_names(loss)}`" if _names(loss) else ""
    parts = [_block(f"train on a loss that is differentiable{where}, for example", loss.lines)]
    return "\n".join([*parts, *_caveat(loss), _beside(trace, found)])


def for_relabel(trace: Trace, cut: Cut, view: LossView, span: Span | None) -> str:
    """Return what to do about a relabelled loss."""
    first = f"delete line {span.line}" if span is not None else "remove the new leaf"
    return (
        f"{first}, then repair the place where the gradient was lost; {for_loss(trace, cut, view)}"
    )


def for_term(trace: Trace, cut: Cut, term: Term, view: LossView | None = None) -> str:
    """Return what to do about a dead term."""
    found = recognised(trace, cut, view, term.value)
    if found is None:
        return "drop the term and log it instead, or replace it with a differentiable one"
    loss = surrogate(trace, found)
    parts = [
        _block("drop the term, or replace it with a differentiable one, for example", loss.lines)
    ]
    return "\n".join([*parts, *_caveat(loss), _beside(trace, found)])


def _names(loss: Surrogate) -> str:
    """Return the expression that the suggested loss is differentiable in."""
    match = re.search(r"F\.\w+\(([\w.\[\]]+),", loss.lines[-1])
    return match.group(1) if match else ""


def _block(text: str, lines: Sequence[str]) -> str:
    return "\n".join([text, *(f"    {line}" for line in lines)])


def _caveat(loss: Surrogate) -> list[str]:
    return [f"({loss.caveat})"] if loss.caveat else []


def _beside(trace: Trace, found: Metric) -> str:
    """Return how to report the metric, and whether that is the number of the user's own code."""
    if found.kind in _FAMILIES:
        text = f"and report it beside the loss; {_FAMILIES[found.kind]}"
    elif found.same:
        text = f"and report the metric beside it: `{found.call}` gives the same value on this batch"
    elif found.note or found.same is False:
        note = f" ({found.note})" if found.note else ""
        text = (
            "and report the metric beside it; your number follows another convention than "
            f"`{found.call}`{note}"
        )
    else:
        text = f"and report the metric beside it, `{found.call}`"
    return _block(text + _also(found), metric_lines(trace, found))


def _also(found: Metric) -> str:
    """Return the other names of a number that fits several metrics."""
    names = [f"`{name}`" for name in found.also[:2]]
    return f"; here {' and '.join(names)} would be the same number" if names else ""


def for_cut(trace: Trace, cut: Cut) -> str:
    """Return what to write in place of a cutting operation, or of the metric that it is part of."""
    view = trace.losses[-1] if trace.losses else None
    return for_loss(trace, cut, view) if view is not None else _without(cut)


def _without(cut: Cut) -> str:
    row = ops.find(cut.op)
    name = subject(cut.call)
    if cut.kind is ops.Kind.STOP:
        return _unstopped(cut, name)
    of = f" of `{name}`" if name else ""
    if row is not None and row.instead:
        return f"use {row.instead.format(name=row.name)} in place of `{row.name}`{of}"
    return f"use a differentiable operation in place of `{cut.op}`{of}"


def _unstopped(cut: Cut, name: str) -> str:
    """Return how to let a gradient through again, should it have been stopped by mistake."""
    if cut.call.off is not None:
        return f"move what is to be trained out of `{cut.op}`, or freeze these parameters"
    text = syntax.expression(cut.call.stack[0]) if cut.call.stack else ""
    if not name or not text or len(text) > 60:  # noqa: PLR2004 - longer ones do not read as an example
        return f"take the `{cut.op.rpartition('.')[2]}` away, or freeze these parameters"
    return f"write `{name}` in place of `{text}`, or freeze these parameters"


def for_op(call: Call) -> str:
    """Return what to write in place of an operation without a derivative."""
    return (
        f"use a differentiable operation in place of `{call.public}`, or apply it to a detached "
        "value outside of the loss"
    )


def metric_of_step(trace: Trace, call: Call | None, code: str) -> Metric | None:
    """Return the metric that a call without a slope decides for.

    An error of rounded numbers is none: it is a loss in which the rounding is out of place.
    """
    cut = step_cut(call, code)
    found = recognised(trace, cut, None) if cut is not None else None
    return found if found is not None and found.kind not in {"integer", "image"} else None


def step_cut(call: Call | None, code: str) -> Cut | None:
    """Return a call without a slope as a cut, if that is what the finding is about."""
    if code != "GG202" or call is None:
        return None
    hard = next((o for o in call.outputs if o.mark == HARD), None)
    fed = next((v for v in call.inputs if v.mark != FREE), None)
    return Cut(call, fed, hard) if hard is not None and fed is not None else None


def for_zero(trace: Trace, call: Call | None, code: str) -> str:
    """Return what to do about a zero gradient."""
    cut = step_cut(call, code)
    if cut is not None and trace.losses and metric_of_step(trace, call, code) is not None:
        return for_loss(trace, cut, trace.losses[-1])
    row = ops.find(call.name) if call is not None else None
    if code == "GG202" and row is not None and row.instead:
        return f"use {row.instead.format(name=row.name)}"
    if code == "GG201":
        return (
            "normalise over the dimension that holds the alternatives, or use a sigmoid for a "
            "single output"
        )
    return "bring the inputs of this operation back into the range in which it has a derivative"


def for_nonfinite(op: str | None) -> str:
    """Return what to do about a non-finite gradient."""
    argument = f"the argument of `{op}`" if op else "the argument"
    return (
        f"keep {argument} away from the point where the derivative is infinite, for example with a "
        "small `eps` or a second `torch.where` on the input"
    )


def for_unregistered() -> str:
    """Return what to do about unregistered layers."""
    return (
        "keep layers in `nn.ModuleList` or `nn.ModuleDict` and tensors in `nn.Parameter` or "
        "`nn.ParameterList`"
    )


def offers(trace: Trace, goal: Value | None) -> list[str]:
    """Return, for each metric that a step computes beside its loss, what routing it would give.

    Args:
        trace: the record of the step.
        goal: its loss.
    """
    return [_offer(found) for found in beside(trace, goal, _BRIEF)]


def _offer(found: Metric) -> str:
    made = found.value.call if found.value is not None else None
    site = project(made.stack) if made is not None else None
    span = locate(site) if site is not None else None
    where = f" at {span.path}:{span.line}" if span is not None else ""
    shares = found.name.endswith(("Accuracy", "HammingDistance", "ExactMatch", "Error"))
    gap = "" if shares else "batches or "
    return (
        f"`{found.call}` is computed beside the loss{where}; a mean over batches is not its value "
        f'where {gap}ranks differ in size, `metrics="route"` also logs that of the whole epoch as '
        f"`gradguard/{attribute_name(found)}`"
    )


def metric_of(
    trace: Trace, cut: Cut, view: LossView | None, goal: Value | None = None
) -> str | None:
    """Return the torchmetrics class that the cut chain computes, if it is recognised."""
    found = recognised(trace, cut, view, goal)
    return found.name if found is not None else None


def recognised(
    trace: Trace, cut: Cut, view: LossView | None, goal: Value | None = None
) -> Metric | None:
    """Return the metric that the cut chain computes, if there is one."""
    if not trace.names_metrics:
        return None
    if view is None and trace.losses:
        view = trace.losses[-1]
    goal = goal or (view.value if view is not None else None)
    key = (cut.call.index, goal)
    if key not in trace.recognised:
        trace.recognised[key] = recognise(trace, cut, goal)
    found: Metric | None = trace.recognised[key]
    return found


def operand_node(node: ast.AST | None, term: Term) -> ast.AST | None:
    """Return the syntax node of the operand of an addition that a term is."""
    if isinstance(node, ast.BinOp):
        if term.position < 0:
            return next((n for n in (node.right, node.left) if not _is_tensor_side(n)), None)
        reverse = term.call.name in {"__radd__", "__rsub__"}
        return (
            (node.left, node.right)[(term.position + reverse) % 2]
            if len(term.call.inputs) > 1
            else None
        )
    if isinstance(node, ast.AugAssign):
        return node.value
    return None


def _is_tensor_side(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub))
