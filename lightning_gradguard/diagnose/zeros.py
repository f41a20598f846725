# SPDX-License-Identifier: Apache-2.0
"""GG201, GG202 and GG203: parameters whose gradient is exactly zero."""

from collections.abc import Iterable, Mapping

from lightning_gradguard import advice
from lightning_gradguard.diagnose.kills import backward_span, killer
from lightning_gradguard.diagnose.places import called_from, layer_span, span_at
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.stories import (
    Story,
    is_flat,
    is_range_bound,
    selects_nothing,
    zero_story,
)
from lightning_gradguard.diagnose.words import phrase
from lightning_gradguard.flow import Flow, Kill, family_of
from lightning_gradguard.rules import Diagnostic, Severity
from lightning_gradguard.source import Span, Stack, is_project_file
from lightning_gradguard.trace import Call

__all__ = ["is_passing", "kills_of", "lasts", "waits", "zero_parameters"]

_BOTH, _FIRST, _BIAS = frozenset({0, 1}), frozenset({0}), frozenset({2})
# Edges that only add up what comes in: a zero there is a sum that cancels, not a lost gradient.
_SUMMING: Mapping[str, frozenset[int]] = {
    "Add": _BOTH, "Sub": _BOTH, "Rsub": _BOTH, "Expand": _FIRST, "Repeat": _FIRST,
    "Embedding": _FIRST, "Addmm": _FIRST, "Addmv": _FIRST, "Baddbmm": _FIRST, "Convolution": _BIAS,
    "Linear": _BIAS, "LinearFunction": _BIAS, "NativeBatchNorm": _BIAS, "NativeGroupNorm": _BIAS,
    "NativeLayerNorm": _BIAS,
}  # fmt: skip
_UNSEEN: Story = ("GG203", None, "where the gradient died could not be observed", "")


def zero_parameters(scene: Scene, names: Iterable[str]) -> list[Diagnostic]:
    """GG201, GG202, GG203: parameters whose gradient is exactly zero, grouped by where it died."""
    groups: dict[object, tuple[Kill | None, list[str]]] = {}
    names = list(names)
    scene.zeros = frozenset(names)
    for name in names:
        if waits(scene, name):
            continue
        kills, _ = kills_of(scene, name)
        kill = min(kills, key=lambda k: (_certainty(k, scene), k.node), default=None)
        key = _kill_key(scene, kill) if kill is not None else None
        groups.setdefault(key, (kill, []))[1].append(name)
    return [_zero(scene, kill, tuple(group)) for kill, group in groups.values()]


def waits(scene: Scene, name: str) -> bool:
    """Say whether a zero gradient may still heal, or says nothing about the parameter."""
    kills, reached = kills_of(scene, name)
    return (reached and not kills) or any(is_passing(k, scene) for k in kills)


def lasts(scene: Scene, name: str) -> bool:
    """Say whether what makes a gradient zero is unlikely to pass by itself with the next batches.

    A factor that the data chooses, as the share of an expert, may be another one in the next batch.
    """
    kills, _ = kills_of(scene, name)
    return bool(kills) and not waits(scene, name) and all(_is_lasting(k, scene) for k in kills)


def _is_lasting(kill: Kill, scene: Scene) -> bool:
    if _certainty(kill, scene) == 0 or kill.how == "hook":
        return True
    if kill.facts.get("zero_factor"):
        shapes = [f["shape"] for f in kill.facts.values() if isinstance(f, dict) and f.get("zero")]
        return () in shapes
    return is_range_bound(kill)


def kills_of(scene: Scene, name: str) -> tuple[list[Kill], bool]:
    """Return where the gradient of a parameter died, and whether some loss reaches it at all.

    Of several backward passes those count in which it did die; a live one was cleared before the
    step.
    """
    reached = [(f, leaf) for f in scene.flows if (leaf := f.view.params.get(name, -1)) >= 0]
    dead = [(f, leaf) for f, leaf in reached if f.live_ways(leaf) != 1]
    return [k for f, leaf in dead or reached[-1:] for k in _deaths(scene, f, leaf)], bool(reached)


def _deaths(scene: Scene, flow: Flow, leaf: int) -> list[Kill]:
    """Return where a gradient died; for a death that may pass, where the next one would die."""
    kills = flow.kills(leaf)
    if not kills or all(is_flat(k) and not k.facts.get("aside") for k in kills):
        return kills
    flat = flow.barrier(leaf, is_flat)
    if flat or any(is_passing(k, scene) for k in kills):
        return flat or kills
    unclear = all(k.how == "zero" and not is_range_bound(k) and not _is_shut(k) for k in kills)
    return flow.barrier(leaf, _is_shut) or kills if unclear else kills


def _is_shut(kill: Kill) -> bool:
    return is_flat(kill) or bool(kill.facts.get("closed") or kill.facts.get("zero_factor"))


def _kill_key(scene: Scene, kill: Kill) -> object:
    op, stack = killer(scene, kill)
    return (op, kill.how, stack[:1]) if stack else (kill.name, kill.how, kill.seq)


def is_passing(kill: Kill, scene: Scene) -> bool:
    """Say whether this zero is a passing one: it heals, the batch was empty, or a sum cancelled."""
    if kill.heals:
        return True
    if selects_nothing(kill):
        return not scene.hopeless  # one batch may select nothing, but not all of them
    at_parameter = kill.name.startswith("AccumulateGrad")
    if kill.how == "cancel":
        return at_parameter and not _matrix_cancels(scene)
    if kill.how == "hook" and at_parameter:
        return False
    return kill.how == "zero" and kill.edge in _SUMMING.get(family_of(kill.name), frozenset())


def _matrix_cancels(scene: Scene) -> bool:
    """Say whether the contributions to a whole matrix cancel; to a bias they do so in health."""
    return any(
        leaf >= 0 and any(k.how == "cancel" and k.node == leaf for k in flow.kills(leaf))
        for flow in scene.flows
        for name, leaf in flow.view.params.items()
        if name in scene.zeros and scene.judged[name].dim() > 1
    )


def _certainty(kill: Kill, scene: Scene) -> int:
    code = zero_story(scene, kill)[0]
    return 0 if code in {"GG201", "GG202"} else 1


def _zero(scene: Scene, kill: Kill | None, names: tuple[str, ...]) -> Diagnostic:
    code, op, cause, label = zero_story(scene, kill) if kill is not None else _UNSEEN
    stack = killer(scene, kill)[1] if kill is not None else ()
    call = scene.trace.call_of(kill.seq) if kill is not None else None
    step = advice.metric_of_step(scene.trace, call, code)
    return finding(
        code,
        scene,
        severity=Severity.INFO if code == "GG203" and _is_theirs(stack) else None,
        params=names,
        slots={
            "op": op or "",
            "name": names[0].rpartition(".")[0] or names[0],
            "parameters": phrase(names),
            "steps": scene.when.removeprefix("in ") or "every step",
        },
        op=op,
        span=span_at(stack, label),
        related=_places(scene, kill, call, stack),
        cause=cause,
        evidence=f"max |grad| = 0 {scene.when}".strip(),
        effect="no optimizer step changes these parameters, apart from weight decay and momentum",
        help=advice.for_zero(scene.trace, call, code),
        metric=step.name if step is not None else None,
    )


def _places(scene: Scene, kill: Kill | None, call: Call | None, stack: Stack) -> tuple[Span, ...]:
    """Return the further places that a zero has to do with."""
    backward = backward_span(scene, kill) if kill is not None else ()
    layer = layer_span(scene.model, call.module) if call is not None else ()
    return called_from(stack) + backward + layer


def _is_theirs(stack: Stack) -> bool:
    return bool(stack) and not is_project_file(stack[0][0].co_filename)
