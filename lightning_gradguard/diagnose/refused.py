# SPDX-License-Identifier: Apache-2.0
"""GG108, GG109 and GG110: what torch's own errors are about."""

import re
from collections import deque
from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from lightning_gradguard import advice, definitions
from lightning_gradguard.diagnose.missing import cut_parameters
from lightning_gradguard.diagnose.places import EARLY, called_from, span_at
from lightning_gradguard.diagnose.scene import Details, Scene, finding
from lightning_gradguard.flow import family_of
from lightning_gradguard.lineage import Cut
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Span
from lightning_gradguard.trace import Call, LossView, Value, walk

__all__ = [
    "inference_values",
    "kept_graphs",
    "overwritten_values",
    "underived_call",
    "undifferentiable_ops",
]

_OVERWRITTEN = re.compile(
    r"\[torch\.[\w.]+ \[([\d, ]*)\]\](?:, which is output \d+ of (?:AsStridedBackward0|(\w+)))?"
)
_EXPECTED = re.compile(r"expected version (\d+)")


def undifferentiable_ops(scene: Scene, view: LossView) -> list[Diagnostic]:
    """GG108: an operation on the way to the loss for which torch has no derivative."""
    found = []
    for seq in view.underived:
        call = scene.trace.call_of(seq)
        if call is not None and call.stack:
            found.append(_underived(scene, call))
    return found[:1]


def underived_call(scene: Scene, name: str) -> list[Diagnostic]:
    """GG108 after the fact: torch has refused to differentiate an operation of this name."""
    bare = name.removeprefix("aten::").split(".")[0].strip("_")
    calls = [c for c in scene.trace.calls if c.stack and any(c.live) and _same_op(c.name, bare)]
    calls = calls or _calls_behind(scene, bare) or _call_in_turn(scene)
    return [_underived(scene, calls[-1])] if calls else []


def _calls_behind(scene: Scene, bare: str) -> list[Call]:
    """Return the calls that made the nodes of an operation, whatever torch calls its function."""
    seqs = [
        seq
        for view in scene.trace.losses
        for seq, index in view.seqs.items()
        if family_of(view.names[index]).lower() == bare.removesuffix("_backward").replace("_", "")
    ]
    return [c for seq in seqs if (c := scene.trace.call_of(seq)) is not None and c.stack]


def _call_in_turn(scene: Scene) -> list[Call]:
    """Return the call at whose derivative the latest backward pass broke off."""
    kill = scene.flows[-1].stuck() if scene.flows else None
    call = scene.trace.call_of(kill.seq) if kill is not None else None
    return [call] if call is not None and call.stack else []


def _same_op(name: str, bare: str) -> bool:
    short = name.strip("_").removesuffix("=")
    return (
        short == bare or bare.startswith(short) or short.replace("floordiv", "floor_divide") == bare
    )


def _underived(scene: Scene, call: Call) -> Diagnostic:
    before = scene.lineage.ancestors(call.inputs)
    fed = [v.name for v in before if v.kind == "param"]
    names = tuple(n for n in scene.judged if n in fed) or tuple(scene.judged)
    return finding(
        "GG108",
        scene,
        params=names,
        slots={"op": call.public},
        op=call.public,
        span=span_at(call.stack, "torch cannot differentiate this"),
        related=called_from(call.stack),
        cause=(
            f"`{call.public}` has no derivative in torch, so `backward()` raises when it arrives "
            "there"
        ),
        help=advice.for_op(call),
    )


def overwritten_values(scene: Scene, text: str) -> list[Diagnostic]:
    """GG109: an in-place write destroyed a value that the backward pass needs."""
    match = _OVERWRITTEN.search(text)
    shape = tuple(int(n) for n in match.group(1).split(",") if n.strip()) if match else None
    family = family_of(match.group(2)).lower() if match and match.group(2) else ""
    writes = [(c, o) for c in scene.trace.calls for o in c.outputs if c.stack and _overwrites(c, o)]
    fitting = [(c, o) for c, o in writes if shape is None or sorted(o.shape) == sorted(shape)]
    ranked = sorted(
        fitting, key=lambda w: (w[1].kind == "param", not _made_by(w[1], family), w[0].index)
    )
    call = ranked[0][0] if ranked else _write_into_base(writes, shape or (), text)
    if call is None:
        return []
    return [
        finding(
            "GG109",
            scene,
            params=tuple(scene.judged),
            slots={"op": call.public},
            op=call.public,
            span=span_at(call.stack, "overwrites a value that the backward pass needs"),
            related=called_from(call.stack),
            cause=(
                f"an earlier operation keeps its {'result' if family else 'input'} for the "
                "derivative, and this call changes it in place"
            ),
            help="write the result to a new tensor, as in `x = x * y` for `x *= y`",
        )
    ]


def _write_into_base(
    writes: Sequence[tuple[Call, Value]], shape: tuple[int, ...], text: str
) -> Call | None:
    """Return the write into a larger tensor, of which the operation has kept a view.

    Torch says which version of it the view was taken of: the write that follows is the one.
    """
    roomy = [o for c, o in writes if c.off is None and _has_room(o, shape)]
    same = [c for c, o in writes if o.tensor_id == roomy[0].tensor_id] if roomy else []
    nth = _EXPECTED.search(text)
    kept = int(nth.group(1)) if nth else 0
    return same[min(kept, len(same) - 1)] if same else None


def _has_room(value: Value, shape: tuple[int, ...]) -> bool:
    """Say whether a view of this shape may have been taken of a value."""
    sizes = [n for n in shape if n > 1]
    return all(n in value.shape for n in sizes) and len(sizes) < len(value.shape)


def _overwrites(call: Call, output: Value) -> bool:
    if output.kind == "param":
        return call.off is not None or not call.name.endswith("_")  # or rescaled as it is read
    return any(v.tensor_id == output.tensor_id for v in call.inputs)


def _made_by(value: Value, family: str) -> bool:
    return any(
        v.tensor_id == value.tensor_id
        and v.call is not None
        and family.startswith(v.call.name.strip("_"))
        for v in value.parents
    )


def kept_graphs(scene: Scene, raised_at: Span | None = None) -> list[Diagnostic]:
    """GG110: a value that still carries the graph of an earlier step was used again.

    Args:
        scene: the failing step.
        raised_at: the user's own call of the backward pass that failed, in manual optimization.
    """
    for prefix, module in scene.model.named_modules():
        for attribute, item in vars(module).items():
            if _holds_graph(item):
                name = f"{prefix}.{attribute}" if prefix else attribute
                span = _keeping_span(scene, type(module), attribute)
                made = _is_made_of_outsiders(scene, item)
                return [_stale_leaf(scene, name, span) if made else _kept_graph(scene, name, span)]
    freeing = _freeing_call(scene)
    if freeing is not None:
        return [_spent_graph(scene, freeing)]
    if raised_at is not None:
        return [_kept_graph(scene, "", raised_at)]
    call = _outliving(scene)
    return [_held_graph(scene, call)] if call is not None else []


def _freeing_call(scene: Scene) -> Call | None:
    """Return the first `autograd.grad` of the step that leaves nothing for a second pass."""
    keeping = ("retain_graph", "create_graph")
    asking = (c for c in scene.trace.calls if c.func is torch.autograd.grad and c.stack)
    return next((c for c in asking if not any(c.keywords.get(k) for k in keeping)), None)


def _spent_graph(scene: Scene, call: Call) -> Diagnostic:
    return _freed_graph(
        scene,
        "the loss",
        span_at(call.stack, "frees what the backward pass of the loss still needs"),
        help="pass `retain_graph=True` here",
        params=tuple(scene.judged),
    )


def _keeping_span(scene: Scene, cls: type, attribute: str) -> Span | None:
    """Return what gave a module a value with a graph: an assignment, or a call."""
    spans = definitions.attribute_spans(cls, attribute)
    filled = definitions.filling_spans(cls, attribute)
    late = [s for s in (*filled, *spans) if s.function.rpartition(".")[2] not in EARLY] or spans
    call = _outliving(scene) if not late else None
    return late[-1] if late else span_at(call.stack) if call is not None else None


def _is_made_of_outsiders(scene: Scene, item: object) -> bool:
    """Say whether no trained parameter stands in the graph that a tensor holds."""
    names = {id(p): n for n, p in scene.judged.items()}
    return isinstance(item, Tensor) and not walk(item, names)[0].params


def _outliving(scene: Scene) -> Call | None:
    """Return the call of the last traced step whose result somebody still holds with its graph."""
    losses = {v.value for v in scene.trace.losses}
    held = [v.call for v in scene.trace.outliving if v not in losses]
    return next((c for c in reversed(held) if c is not None and c.stack), None)


def _holds_graph(item: object, depth: int = 3) -> bool:
    if isinstance(item, Tensor):
        return item.grad_fn is not None
    if isinstance(item, dict) and depth:
        return any(_holds_graph(v, depth - 1) for v in item.values())
    return (
        isinstance(item, (list, tuple, deque))
        and depth > 0
        and any(_holds_graph(v, depth - 1) for v in item)
    )


def _kept_graph(scene: Scene, name: str, span: Span | None) -> Diagnostic:
    label = "keeps the graph of this step for the next one" if name else "goes through it again"
    keep = f"detach what is carried over\n    self.{name} = self.{name}.detach()"
    return _freed_graph(
        scene,
        f"`self.{name}`" if name else "a part of the loss",
        span.labelled(label) if span else None,
        help=keep if name else "add the losses up and call `backward()` once",
        params=tuple(scene.judged),
    )


def _stale_leaf(scene: Scene, name: str, span: Span | None) -> Diagnostic:
    """GG110 for a weight that was computed once from a leaf of its own, when it was made."""
    return _freed_graph(
        scene,
        f"`self.{name}`",
        span.labelled("computed once, so its graph is used up by the first step") if span else None,
        help=f"keep the bare leaf in `nn.Parameter`, compute `self.{name}` from it in `forward`",
        params=(name,),
        params_total=len(scene.judged) + 1,
    )


def _held_graph(scene: Scene, call: Call) -> Diagnostic:
    return _freed_graph(
        scene,
        f"a result of `{call.public}`",
        span_at(call.stack, "somebody holds this beyond its step"),
        help="call `.detach()` on what is kept for a later step",
        params=tuple(scene.judged),
    )


def _freed_graph(
    scene: Scene, what: str, span: Span | None, **details: Unpack[Details]
) -> Diagnostic:
    details["cause"] = (
        f"{what} still holds a graph whose saved values an earlier `backward()` has freed"
    )
    return finding("GG110", scene, slots={"what": what}, span=span, **details)


def inference_values(scene: Scene) -> list[Diagnostic]:
    """GG104: a value made in inference mode is needed for the backward of an operation."""
    calls = [
        c for c in scene.trace.calls if c.off is not None and c.off.how.endswith("inference_mode")
    ]
    live = [(c, v) for c in calls for v, rg in zip(c.inputs, c.live, strict=True) if rg]
    if not live:
        return []
    cut = Cut(live[0][0], live[0][1], live[0][0].outputs[0] if live[0][0].outputs else None)
    return [cut_parameters(scene, cut, tuple(scene.judged))]
