# SPDX-License-Identifier: Apache-2.0
"""GG201, GG202 and GG203: parameters whose gradient is exactly zero."""

from collections.abc import Iterable, Mapping

from lightning_gradguard import advice
from lightning_gradguard.diagnose.kills import backward_span, killer
from lightning_gradguard.diagnose.places import layer_span, project_span, span_at
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.stories import zero_story
from lightning_gradguard.diagnose.words import family_of, phrase
from lightning_gradguard.flow import Kill
from lightning_gradguard.rules import Diagnostic, Severity
from lightning_gradguard.source import is_project_file

__all__ = ["is_passing", "kills_of", "waits", "zero_parameters"]

# Edges that only add up what comes in: a zero there is a sum that cancels, not a lost gradient.
_SUMMING: Mapping[str, frozenset[int]] = {
    "Add": frozenset({0, 1}), "Sub": frozenset({0, 1}), "Expand": frozenset({0}), "Addmm": frozenset({0}),
    "Convolution": frozenset({2}), "Linear": frozenset({2}), "NativeLayerNorm": frozenset({2}),
    "NativeBatchNorm": frozenset({2}), "Repeat": frozenset({0}), "Baddbmm": frozenset({0}),
    "Embedding": frozenset({0}), "NativeGroupNorm": frozenset({2}), "Addmv": frozenset({0}),
    "Rsub": frozenset({0, 1}), "LinearFunction": frozenset({2}),
}  # fmt: skip


def zero_parameters(scene: Scene, names: Iterable[str]) -> list[Diagnostic]:
    """GG201, GG202, GG203: parameters whose gradient is exactly zero, grouped by where it died."""
    groups: dict[object, tuple[Kill | None, list[str]]] = {}
    names = list(names)
    scene.zeros = frozenset(names)
    for name in names:
        kills, reached = kills_of(scene, name)
        if (reached and not kills) or any(is_passing(k, scene) for k in kills):
            continue
        kill = min(kills, key=lambda k: (_certainty(k, scene), k.node), default=None)
        key = _kill_key(scene, kill) if kill is not None else None
        groups.setdefault(key, (kill, []))[1].append(name)
    return [_zero(scene, kill, tuple(group)) for kill, group in groups.values()]


def waits(scene: Scene, name: str) -> bool:
    """Say whether a zero gradient may still heal, or says nothing about the parameter."""
    kills, reached = kills_of(scene, name)
    return (reached and not kills) or any(is_passing(k, scene) for k in kills)


def kills_of(scene: Scene, name: str) -> tuple[list[Kill], bool]:
    """Return where the gradient of a parameter died, and whether some loss reaches it at all.

    Of several backward passes those count in which it did die; a live one was cleared before the step.
    """
    reached = [(f, leaf) for f in scene.flows if (leaf := f.view.params.get(name, -1)) >= 0]
    dead = [(f, leaf) for f, leaf in reached if f.live_ways(leaf) != 1]
    return [k for f, leaf in dead or reached[-1:] for k in f.kills(leaf)], bool(reached)


def _kill_key(scene: Scene, kill: Kill) -> object:
    op, stack = killer(scene, kill)
    return (op, kill.how, stack[:1]) if stack else (kill.name, kill.how, kill.seq)


def is_passing(kill: Kill, scene: Scene) -> bool:
    """Say whether this zero is a passing one: it heals, the batch was empty, or a sum cancelled."""
    family = family_of(kill.name)
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
    code = zero_story(scene, kill)[0]
    return 0 if code in {"GG201", "GG202"} else 1


def _zero(scene: Scene, kill: Kill | None, names: tuple[str, ...]) -> Diagnostic:
    call = scene.trace.call_of(kill.seq) if kill is not None else None
    if kill is None:
        code, op, cause, label = "GG203", None, "where the gradient died could not be observed", ""
    else:
        code, op, cause, label = zero_story(scene, kill)
    stack = killer(scene, kill)[1] if kill is not None else ()
    span = span_at(stack)
    related = [s for s in (project_span(stack),) if s is not None]
    related += backward_span(scene, kill) if kill is not None else ()
    layer = layer_span(scene.model, call)
    theirs = code == "GG203" and bool(stack) and not is_project_file(stack[0][0].co_filename)
    return finding(
        code,
        scene,
        severity=Severity.INFO if theirs else None,
        params=names,
        slots={
            "op": op or "",
            "name": names[0].rpartition(".")[0] or names[0],
            "parameters": phrase(names),
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
