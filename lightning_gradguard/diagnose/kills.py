# SPDX-License-Identifier: Apache-2.0
"""Nodes of a backward pass in, the user's calls behind them out."""

from lightning_gradguard import syntax
from lightning_gradguard.diagnose.scene import Scene
from lightning_gradguard.diagnose.words import function_of
from lightning_gradguard.flow import Kill
from lightning_gradguard.lineage import function_name
from lightning_gradguard.source import Span, Stack
from lightning_gradguard.trace import Call

__all__ = ["backward_span", "hook_call", "killer", "stack_of"]


def killer(scene: Scene, kill: Kill) -> tuple[str, Stack]:
    """Return the public name of what a node belongs to, and where it was called."""
    hook = hook_call(scene, kill) if kill.how in {"hook", "cancel"} else None
    if hook is not None or kill.how == "hook":
        return "torch.Tensor.register_hook", hook.stack if hook is not None else stack_of(
            scene, kill.seq
        )
    seq = kill.facts.get("meets_at", -1)
    call = scene.trace.call_of(seq if seq >= 0 else kill.seq)
    if call is not None and call.func is not None:
        return call.public, call.stack
    inside = scene.trace.function_call(kill.seq)
    if inside is not None:
        return function_name(inside), inside.stack[1:] or inside.stack
    return function_of(kill.name), call.stack if call is not None else ()


def stack_of(scene: Scene, seq: int) -> Stack:
    """Return where the call was made that a node of this sequence number belongs to."""
    call = scene.trace.call_of(seq)
    return call.stack if call is not None else ()


def hook_call(scene: Scene, kill: Kill) -> Call | None:
    """Return the `register_hook` on the result of a node."""
    hooks = [c for c in scene.trace.calls if c.name == "register_hook" and c.inputs]
    return next((c for c in hooks if c.inputs[0].seq == kill.seq), None)


def backward_span(scene: Scene, kill: Kill) -> tuple[Span, ...]:
    """Return the last `return` in the `backward` of the custom Function that a node belongs to."""
    inside = scene.trace.function_call(kill.seq)
    if inside is None:
        return ()
    span = syntax.sibling_return_span(inside.stack[0][0], "backward")
    return (span.labelled("what its backward hands on"),) if span is not None else ()
