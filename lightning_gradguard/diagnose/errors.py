# SPDX-License-Identifier: Apache-2.0
"""From the text of an error that torch raised to the finding that names its line."""

import re
from collections.abc import Callable, Sequence

from lightning_gradguard import syntax
from lightning_gradguard.diagnose.nonfinite import broken_derivative
from lightning_gradguard.diagnose.places import code_of, loss_span, span_at
from lightning_gradguard.diagnose.refused import (
    inference_values,
    kept_graphs,
    overwritten_values,
    underived_call,
)
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Span

__all__ = ["explain_error", "refused_backwards"]

Finder = Callable[[Scene, re.Match[str], Span | None], Sequence[Diagnostic]]


def explain_error(scene: Scene, text: str, raised_at: Span | None) -> list[Diagnostic]:
    """Return what is known about an error of torch's backward pass; the error itself is left alone.

    Args:
        scene: the failing step.
        text: text of the error.
        raised_at: innermost line of the user's project in its traceback.
    """
    for pattern, find in _ERRORS:
        match = re.search(pattern, text)
        if match is not None:
            return list(find(scene, match, raised_at))
    return []


def refused_backwards(
    scene: Scene, what: str, span: Span | None, *, op: str | None = None, repair: str = ""
) -> list[Diagnostic]:
    """GG111: torch has refused a backward pass for what the loss, or a function on its way, is."""
    return [
        finding(
            "GG111",
            scene,
            params=tuple(scene.judged),
            slots={"what": what},
            op=op,
            span=span,
            cause="no gradient is computed at all, so no parameter is trained in this step",
            help=repair,
        )
    ]


def _underived(scene: Scene, match: re.Match[str], _: Span | None) -> Sequence[Diagnostic]:
    return underived_call(scene, match.group(1))


def _unscalar(scene: Scene, _: re.Match[str], raised_at: Span | None) -> Sequence[Diagnostic]:
    view = scene.trace.losses[-1] if scene.trace.losses else None
    value = view.value if view is not None else None
    shape = f" it is {value.describe()}" if value is not None else ""
    span = (loss_span(view) if view is not None else None) or raised_at
    return refused_backwards(
        scene,
        "the loss is not one real number",
        span.labelled(f"the loss comes from here;{shape}") if span is not None else None,
        op=value.call.public if value is not None and value.call is not None else None,
        repair="reduce the loss to one real number, for example with `loss.mean()`",
    )


def _bad_function(
    scene: Scene, match: re.Match[str], raised_at: Span | None
) -> Sequence[Diagnostic]:
    name = match.group(1)
    span = _backward_of(scene, name) or raised_at
    label = "one gradient for each input of `forward`, of its shape"
    return refused_backwards(
        scene,
        f"the gradients that `{name}.backward` returns do not fit its inputs",
        span.labelled(label) if span is not None else None,
        op=name,
        repair="return one gradient, or `None`, for each argument of `forward`",
    )


def _once(scene: Scene, _: re.Match[str], raised_at: Span | None) -> Sequence[Diagnostic]:
    code = code_of(scene.model, "training_step")
    marked = syntax.decorated_in_file(code.co_filename, "once_differentiable") if code else []
    return refused_backwards(
        scene,
        "a function marked with `once_differentiable` is differentiated twice",
        marked[0] if marked else raised_at,
        op="torch.autograd.function.once_differentiable",
        repair="write the `backward` with differentiable operations and take the mark away",
    )


def _unreachable(scene: Scene, _: re.Match[str], raised_at: Span | None) -> Sequence[Diagnostic]:
    call = next((c for c in reversed(scene.trace.calls) if c.name == "grad" and c.stack), None)
    return refused_backwards(
        scene,
        "a tensor is asked for its gradient that the output does not depend on",
        raised_at or (span_at(call.stack) if call is not None else None),
        op="torch.autograd.grad",
        repair="differentiate with respect to a tensor that the output was computed from",
    )


def _backward_of(scene: Scene, name: str) -> Span | None:
    """Return the last `return` in the `backward` of a custom Function of the step."""
    for call in scene.trace.calls:
        for code, _ in call.stack[:1]:
            if code.co_qualname.startswith(f"{name}.") or f".{name}." in code.co_qualname:
                return syntax.sibling_return_span(code, "backward")
    return None


def _recomputed(scene: Scene, _: re.Match[str], raised_at: Span | None) -> Sequence[Diagnostic]:
    code = code_of(scene.model, "training_step")
    names = {"checkpoint", "checkpoint_sequential"}
    calls = syntax.calls_in_file(code.co_filename, names, outside=()) if code else []
    return refused_backwards(
        scene,
        "a checkpointed function does something else when it is run again",
        calls[0] if calls else raised_at,
        op="torch.utils.checkpoint.checkpoint",
        repair="let the function depend on its arguments alone: no counters, no other random state",
    )


def _anomaly(scene: Scene, match: re.Match[str], _: Span | None) -> Sequence[Diagnostic]:
    """GG204 where anomaly detection raises in the midst of a backward pass."""
    view = scene.trace.losses[-1] if scene.trace.losses else None
    nodes = [i for i, n in enumerate(view.names) if n == match.group(1)] if view else []
    if view is None or not nodes:
        return []
    seqs = {i: s for s, i in view.seqs.items()}
    kills = [k for f in scene.flows if f.view is view for k in f.broke()]  # infinities, too
    at = view.seqs.get(kills[0].seq) if kills else None
    node = at if at is not None else min(nodes, key=lambda i: -seqs.get(i, -1))
    below, stack = {node}, [node]
    while stack:
        for child in view.children[stack.pop()]:
            if child >= 0 and child not in below:
                below.add(child)
                stack.append(child)
    names = [n for n, i in view.params.items() if i in below]
    call = scene.trace.call_of(seqs.get(node, -1))
    return broken_derivative(scene, call, names, match.group(1))


# What torch says -> who knows the line. The first pattern that fits decides.
_ERRORS: tuple[tuple[str, Finder], ...] = (
    (r"derivative (?:for|of) '?(?:aten::)?(\w+)(?:: \w+)?'? is not implemented", _underived),
    (r"(\w+) does not have a deriv", _underived),
    (r"modified by an inplace operation",
     lambda scene, match, _: overwritten_values(scene, match.string)),
    (r"Inference tensors cannot be saved for backward",
     lambda scene, _, __: inference_values(scene)),
    (r"backward through the graph a second time", lambda scene, _, at: kept_graphs(scene, at)),
    (r"grad can be implicitly created only for", _unscalar),
    (r"[Ff]unction (\w+)Backward returned an (?:incorrect number|invalid gradient)", _bad_function),
    (r"torch.utils.checkpoint: |[Rr]ecomputed values", _recomputed),
    (r"Function '(\w+)' returned nan values", _anomaly),
    (r"marked with @once_differentiable", _once),
    (r"appears to not have been used in the graph", _unreachable),
)  # fmt: skip
