# SPDX-License-Identifier: Apache-2.0
"""GG103: terms of a loss that cannot change any parameter."""

from lightning_gradguard import advice, syntax
from lightning_gradguard.diagnose.cuts import bare_name, cut_span, op_of, related_spans
from lightning_gradguard.diagnose.places import called_from, span_at
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.words import count_of
from lightning_gradguard.lineage import Cut, Term
from lightning_gradguard.rules import Diagnostic
from lightning_gradguard.source import Span, innermost, locate
from lightning_gradguard.trace import LossView

__all__ = ["constant_terms", "lost_sums", "share_of", "sources_of", "term_span"]


def constant_terms(scene: Scene, view: LossView) -> list[Diagnostic]:
    """GG103: additive terms that depend on the parameters only through cuts."""
    if not any(n in scene.judged for n in view.params):
        return []
    found: dict[object, Diagnostic] = {}
    for term in scene.lineage.dead_terms(view):
        cut = term.cuts[0]
        found.setdefault(cut.site, _dead_term(scene, view, term, cut))
    return list(found.values())


def sources_of(scene: Scene, view: LossView, found: Diagnostic) -> frozenset[str]:
    """Return the parameters behind a term that no loss of the step trains.

    Either the term is dead for another loss's sake, as a GAN keeps its generator out, or what cuts
    them off is the finding.
    """
    values = [
        t.value
        for t in scene.lineage.dead_terms(view)
        if t.value is not None and found.span is not None and found.span.is_at(term_span(t))
    ]
    inside = scene.lineage.ancestors(values)
    names = {v.name for v in inside if v.kind == "param" and v.name in scene.judged}
    return frozenset(names).difference(*(v.params for v in scene.trace.losses))


def lost_sums(scene: Scene, view: LossView) -> list[Diagnostic]:
    """GG103: a term that is added to the loss and dropped again, because the sum is not kept."""
    return [
        finding(
            "GG103",
            scene,
            op=call.public,
            span=span_at(call.stack, "this sum is computed and not kept"),
            related=called_from(call.stack),
            cause=(
                f"`{call.public}` returns a new tensor; nothing reads it, so the loss stays as "
                "it was"
            ),
            help="assign the sum, as in `loss = loss + term`",
        )
        for call in scene.lineage.discarded_sums(view)
    ]


def _dead_term(scene: Scene, view: LossView, term: Term, cut: Cut) -> Diagnostic:
    span = term_span(term)
    lost = cut_span(cut, f"the gradient of this term was lost here, at `{bare_name(cut)}`")
    live = [n for n in view.params if n in scene.judged]
    amount, share = share_of(scene, view, term)
    return finding(
        "GG103",
        scene,
        op=op_of(cut),
        span=span.labelled(f"adds {amount or 'a number'} to the loss and 0 to every gradient")
        if span
        else lost,
        related=tuple(
            s for s in (lost, *related_spans(cut, term.cuts[1:4])) if s is not None and s != span
        ),
        cause=(
            "the term holds no differentiable path to a parameter. The rest of the loss still "
            f"trains {count_of(len(live), 'parameter')}, so training runs and this term only "
            "shifts the logged value"
        ),
        evidence=share,
        help=advice.for_term(scene.trace, cut, term, view),
        metric=advice.metric_of(scene.trace, cut, view, goal=term.value),
    )


def share_of(scene: Scene, view: LossView, term: Term) -> tuple[str, str]:
    """Return how much a term adds to the loss, as number and as share, empty where not known."""
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


def term_span(term: Term) -> Span | None:
    """Return the span of the operand within its addition, or else of the addition itself."""
    site = innermost(term.call.stack)
    if site is None:
        return None
    node = syntax.node_at(site)
    operand = advice.operand_node(node, term)
    if operand is not None:
        return syntax.span_of(operand, site[0].co_filename, site[0].co_qualname)
    if term.value is not None and term.value.call is not None and term.value.call.stack:
        return locate(term.value.call.stack[0])
    return locate(site)
