# SPDX-License-Identifier: Apache-2.0
"""Cuts in, groups, spans and sentences about them out."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from lightning_gradguard import advice, ops, syntax
from lightning_gradguard.diagnose.places import called_from, span_at
from lightning_gradguard.diagnose.scene import Scene
from lightning_gradguard.lineage import Cut
from lightning_gradguard.source import Span, locate
from lightning_gradguard.trace import FUNCTION, LossView

__all__ = [
    "bare_name",
    "cut_cause",
    "cut_span",
    "group_by_cut",
    "grouped_cuts",
    "leaves_torch",
    "op_of",
    "related_spans",
    "unnamed_cuts",
]

_SWITCHES = ("no_grad", "inference_mode", "set_grad_enabled")


def grouped_cuts(scene: Scene, views: Sequence[LossView]) -> list[tuple[Cut, tuple[str, ...]]]:
    """Return the cuts between the judged parameters and some losses, the costliest first."""
    goals = [v.value for v in views if v.value is not None]
    cuts = scene.lineage.cuts(goals)
    return _group(scene, cuts, list(scene.judged))


def unnamed_cuts(scene: Scene, view: LossView) -> list[tuple[Cut, tuple[str, ...]]]:
    """Return the cut nearest to the model where the trace cannot tell its parameters by name."""
    leaves = [t for ref in view.leaf_refs.values() if (t := ref()) is not None]
    if view.value is None or any(t.dim() for t in leaves):
        return []
    cuts = [c for c in scene.lineage.cuts([view.value]).values() if c]
    return [(cuts[-1][0], tuple(scene.judged))] if cuts else []


def group_by_cut(scene: Scene, names: Sequence[str]) -> list[tuple[Cut, tuple[str, ...]]]:
    """Return the cuts between some parameters and all losses of the step, the costliest first."""
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


def op_of(cut: Cut) -> str:
    """Return the operation to name: where a deliberate stop only prepares an exit, the exit."""
    return f"torch.Tensor.{_exit_after(cut)}" if leaves_torch(cut) else cut.op


def leaves_torch(cut: Cut) -> bool:
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


def cut_span(cut: Cut, label: str = "") -> Span | None:
    """Return where a gradient is lost, with words on how unless there is a label."""
    off = cut.call.off
    text = label or _cut_label(cut)
    if off is not None and off.how != FUNCTION:
        found = _switch_span(cut)
        return found.labelled(text) if found is not None else None
    return span_at(cut.stack, text)


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
    return span_at(cut.call.stack)


def _cut_label(cut: Cut) -> str:
    row = ops.find(cut.op)
    if row is not None and row.kind is not ops.Kind.SHAPE:
        return f"`{bare_name(cut)}` {row.why}"
    if cut.call.off is not None and cut.call.off.how == FUNCTION:
        return f"the custom function `{cut.op}` returns a result without a gradient"
    if cut.op.endswith("checkpoint"):
        return "a reentrant checkpoint whose inputs need no gradient records nothing"
    return f"`{bare_name(cut)}` gives a result without a gradient"


def cut_cause(cut: Cut) -> str:
    """Say what the value carried before a cut and what is left of it after."""
    subject = advice.subject(cut.call)
    name = f"`{subject}`" if subject else "the input"
    before = f"{name} {cut.value.describe()} requires grad"
    if cut.output is None:
        text = (
            f"{before}; `{bare_name(cut)}` turns it into a plain Python value, which has no history"
        )
    elif cut.call.off is not None and cut.call.off.how != FUNCTION:
        text = (
            f"{before}, but recording is switched off by `{cut.op}`, so `{cut.call.public}` and "
            "all that follows has no history"
        )
    elif not (cut.output.dtype.is_floating_point or cut.output.dtype.is_complex):
        kind = "a boolean" if cut.output.dtype is torch.bool else "an integer"
        text = (
            f"{before}; `{bare_name(cut)}` gives {cut.output.describe()}, and {kind} tensor "
            "cannot carry a gradient"
        )
    else:
        text = f"{before}; `{bare_name(cut)}` gives {cut.output.describe()} without a history"
    return text


def related_spans(cut: Cut, others: Sequence[Cut]) -> tuple[Span, ...]:
    """Return where a cut was called from, where its value came back, and the other cuts."""
    spans: list[Span | None] = [*called_from(cut.stack)]
    if cut.reentry is not None and cut.reentry.stack:
        spans.append(locate(cut.reentry.stack[0], "came back here, without its history"))
    spans += [cut_span(c, f"a gradient is lost here as well, at `{bare_name(c)}`") for c in others]
    return tuple(s for s in spans if s is not None)


def bare_name(cut: Cut) -> str:
    """Return the name of what cuts without the module it comes from."""
    return cut.op.removesuffix(".__get__").rpartition(".")[2]
