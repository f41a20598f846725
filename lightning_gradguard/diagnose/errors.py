# SPDX-License-Identifier: Apache-2.0
"""From the text of an error that torch raised to the finding that names its line."""

import re
import traceback
from collections.abc import Callable, Sequence
from enum import Enum

from lightning_gradguard import syntax
from lightning_gradguard.diagnose.kills import killer
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
from lightning_gradguard.source import Span, is_user_file

__all__ = ["Running", "explain_error", "refused_backwards"]

_ENGINE = "_engine_run_backward"  # the function of torch that runs a backward pass
_DEVICE = re.compile(r"out of memory|CUDA error|HIP error|NCCL", re.IGNORECASE)


class Running(Enum):
    """What was running when an error came up."""

    STEP = "the user's code, or what it calls"
    DERIVATIVE = "a derivative of torch, in a backward pass"
    FUNCTION = "a function or hook of the user's that a backward pass has called"

    @classmethod
    def by(cls, error: BaseException) -> "Running":
        """Tell it from the traceback of an error; running out of memory is nobody's derivative."""
        codes = [f.f_code for f, _ in traceback.walk_tb(error.__traceback__)]
        inside = [n for n, code in enumerate(codes) if code.co_name == _ENGINE]
        if not inside or not isinstance(error, Exception) or _DEVICE.search(str(error)):
            return cls.STEP
        called = any(is_user_file(c.co_filename) for c in codes[inside[-1] :])
        return cls.FUNCTION if called else cls.DERIVATIVE


Finder = Callable[[Scene, re.Match[str], Span | None], Sequence[Diagnostic]]


def explain_error(
    scene: Scene, text: str, raised_at: Span | None, running: Running = Running.STEP
) -> list[Diagnostic]:
    """Return what is known about an error of torch's backward pass; the error itself is left alone.

    Args:
        scene: the failing step.
        text: text of the error.
        raised_at: innermost line of the user's project in its traceback.
        running: what has raised it.
    """
    for pattern, find in _ERRORS:
        match = re.search(pattern, text)
        if match is not None:
            return list(find(scene, match, raised_at))
    for pattern, what, repair in _AT_THE_LINE:
        if raised_at is not None and re.search(pattern, text):
            return refused_backwards(scene, what, raised_at, repair=repair)
    if running is Running.FUNCTION and raised_at is not None:
        return refused_backwards(scene, "a function that it calls raises an error", raised_at)
    return _broken_off(scene, text) if running is Running.DERIVATIVE else []


def _broken_off(scene: Scene, text: str) -> list[Diagnostic]:
    """GG111 for whatever else a derivative raises: torch runs them in a known order."""
    kill = scene.flows[-1].stuck() if scene.flows else None
    if kill is None:
        return []
    kill.how = "hook" if text.startswith("hook ") else kill.how
    op, stack = killer(scene, kill)
    return refused_backwards(
        scene,
        f"`{op}` raises an error",
        span_at(stack, text.partition("\n")[0].partition(". ")[0]),
        op=op,
    )


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


def _constant(scene: Scene, _: re.Match[str], raised_at: Span | None) -> Sequence[Diagnostic]:
    """GG111 for a derivative that the step itself asks for; a loss without a graph has GG101."""
    if raised_at is None or "grad(" not in raised_at.text:
        return []
    return refused_backwards(
        scene,
        "the derivative of a value without a history is asked for",
        raised_at,
        op="torch.autograd.grad",
        repair="compute this value from the tensor with differentiable operations",
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


def _inference(scene: Scene, _: re.Match[str], raised_at: Span | None) -> Sequence[Diagnostic]:
    return inference_values(scene) or refused_backwards(
        scene,
        "it needs a value that was made in inference mode",
        raised_at,
        op="torch.inference_mode",
        repair="make the value under `torch.no_grad()`, or use a `clone()` of it",
    )


def _anomaly(scene: Scene, match: re.Match[str], _: Span | None) -> Sequence[Diagnostic]:
    """GG204 where anomaly detection raises in the midst of a backward pass."""
    view = scene.trace.losses[-1] if scene.trace.losses else None
    nodes = [i for i, n in enumerate(view.names) if n == match.group(1)] if view else []
    if view is None or not nodes:
        return []
    seqs = {i: s for s, i in view.seqs.items()}
    flow = next(f for f in scene.flows if f.view is view)  # a graph with nodes is always watched
    kills = flow.broke()  # infinities, too
    at = view.seqs.get(kills[0].seq) if kills else None
    node = at if at is not None else min(nodes, key=lambda i: -seqs.get(i, -1))
    below = flow.below(node)
    names = [n for n, i in view.params.items() if i in below]
    call = scene.trace.call_of(seqs.get(node, -1))
    return broken_derivative(scene, call, names, match.group(1))


# What torch says -> who knows the line. The first pattern that fits decides.
_ERRORS: tuple[tuple[str, Finder], ...] = (
    (r"derivative (?:for|of) '?(?:aten::)?(\w+)(?:: \w+)?'? is not implemented", _underived),
    (r"(\w+) does not have a deriv", _underived),
    (r"modified by an inplace operation",
     lambda scene, match, _: overwritten_values(scene, match.string)),
    (r"Inference tensors cannot be saved for backward", _inference),
    (r"backward through the graph a second time", lambda scene, _, at: kept_graphs(scene, at)),
    (r"grad can be implicitly created only for", _unscalar),
    (r"[Ff]unction (\w+)Backward returned an (?:incorrect number|invalid gradient)", _bad_function),
    (r"torch.utils.checkpoint: |[Rr]ecomputed values", _recomputed),
    (r"Function '(\w+)' returned nan values", _anomaly),
    (r"marked with @once_differentiable", _once),
    (r"appears to not have been used in the graph", _unreachable),
    (r"element \d+ of tensors does not require grad", _constant),
)  # fmt: skip
# What torch says where the step itself does the wrong thing -> what that is, and the repair.
_AT_THE_LINE = (
    (r"leaf Variable that requires grad",
     "a leaf that requires grad, such as a parameter, is changed in place",
     "compute a new tensor from it, or change it under `torch.no_grad()` after the step"),
    (r"is a view .*being modified inplace|view was created in .*modified inplace",
     "a view that torch cannot follow is changed in place",
     "write the result to a new tensor, as in `x = x * y` for `x *= y`"),
    (r"Inplace update to inference tensor",
     "a value that was made in inference mode is changed in place",
     "change a `clone()` of it"),
    (r"differentiated Tensors does not require grad",
     "the gradient is asked for with respect to a tensor that does not require grad",
     "call `requires_grad_()` on that tensor before anything is computed from it"),
)  # fmt: skip
