# SPDX-License-Identifier: Apache-2.0
"""GG103 once more: terms whose gradient dies in operations without a slope."""

from lightning_gradguard.diagnose.kills import killer
from lightning_gradguard.diagnose.places import called_from, span_at
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.stories import zero_story
from lightning_gradguard.diagnose.terms import share_of, term_span
from lightning_gradguard.diagnose.zeros import is_passing
from lightning_gradguard.flow import Flow, Kill
from lightning_gradguard.lineage import Term
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Stack
from lightning_gradguard.trace import LossView

__all__ = ["flat_terms"]


def flat_terms(scene: Scene, flow: Flow) -> list[Diagnostic]:
    """GG103 after the backward pass: terms whose gradient dies in operations without a slope."""
    view = flow.view
    found: dict[object, Diagnostic] = {}
    for term in scene.lineage.live_terms(view):
        node = view.seqs.get(term.value.seq) if term.value is not None else None
        if node is None:
            continue
        kills = flow.deaths(node)
        if not kills or not all(_is_lasting(scene, k) for k in kills):
            continue
        if any(not flow.live_ways(leaf) for leaf in flow.below(node)):
            continue  # a parameter depends on this term alone: that is its own finding
        op, stack = killer(scene, kills[0])
        found.setdefault((op, stack[:1]), _flat_term(scene, view, term, op, stack))
    return list(found.values())


def _is_lasting(scene: Scene, kill: Kill) -> bool:
    if kill.how == "cancel":  # the numbers of this batch, not the operation
        return False
    return zero_story(scene, kill)[0] in {"GG201", "GG202"} and not is_passing(kill, scene)


def _flat_term(scene: Scene, view: LossView, term: Term, op: str, stack: Stack) -> Diagnostic:
    amount, share = share_of(scene, view, term)
    span = term_span(term)
    lost = span_at(stack, f"the gradient of this term dies here, at `{op.rpartition('.')[2]}`")
    return finding(
        "GG103",
        scene,
        op=op,
        span=span.labelled(f"adds {amount or 'a number'} to the loss and 0 to every gradient")
        if span
        else lost,
        related=tuple(s for s in (lost, *called_from(stack)) if s is not None and s != span),
        cause=(
            f"every way from this term to a parameter goes through `{op}`, whose derivative is 0 "
            "everywhere"
        ),
        evidence=share,
        help="drop the term and log it instead, or replace it with a differentiable one",
    )
