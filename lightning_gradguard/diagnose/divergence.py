# SPDX-License-Identifier: Apache-2.0
"""The GG3 block: ranks that differ."""

from collections.abc import Sequence
from dataclasses import replace

from lightning_gradguard import definitions, syntax
from lightning_gradguard.diagnose.missing import missing_parameters, unused_parameters
from lightning_gradguard.diagnose.places import first_use, owner_of
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.words import phrase
from lightning_gradguard.ranks import words
from lightning_gradguard.rules import Diagnostic, Severity
from lightning_gradguard.source import Span

__all__ = ["awaited_parameters", "divergent_losses", "divergent_parameters", "gradless_shards"]


def divergent_parameters(
    scene: Scene,
    names: Sequence[str],
    having: Sequence[int],
    lacking: Sequence[int],
    *,
    exchange: str,
    use: Span | None = None,
) -> list[Diagnostic]:
    """GG301: the graph reaches these parameters on some ranks only.

    Args:
        scene: the step, best on a rank whose graph reaches them.
        names: the parameters.
        having: ranks whose graph reaches them.
        lacking: the other ranks.
        exchange: what happens to such a gradient: `wait`, `mean` or `none`.
        use: a call that reads one of them, where an earlier trace showed it.
    """
    span = use or first_use(scene, names)
    if span is not None:
        span = span.labelled(f"used here on {words(having)}, not on {words(lacking)}")
    else:
        owner, attribute, prefix = owner_of(scene.model, names[0])
        made = definitions.attribute_span(type(owner), attribute)
        span = (
            made.labelled(f"`{prefix}` is used on {words(having)}, not on {words(lacking)}")
            if made
            else None
        )
    return [
        finding(
            "GG301",
            scene,
            params=tuple(names),
            slots={
                "parameters": phrase(tuple(names)),
                "some": words(having),
                "others": words(lacking),
            },
            span=span,
            ranks=tuple(lacking),
            cause=(
                f"the loss depends on {phrase(tuple(names))} on {words(having)}; on "
                f"{words(lacking)} no path leads from the loss to them"
            ),
            evidence=scene.when,
            effect=_what_becomes(exchange, having, lacking),
            help=(
                "let every rank use the same layers in the same step; where a rank has nothing "
                "to add, multiply by 0 instead of leaving the layer out"
            ),
        )
    ]


def _what_becomes(exchange: str, having: Sequence[int], lacking: Sequence[int]) -> str:
    """Say what a strategy makes of a gradient that only some ranks have."""
    size = len(having) + len(lacking)
    if exchange == "wait":
        return (
            "the ranks exchange different gradients: each waits for what the other never sends, "
            "and the job hangs "
            "until the time limit of the process group ends it, or aborts"
        )
    if exchange == "mean":
        half = ", that is half of it" if 2 * len(having) == size else ""
        return (
            f"the exchange counts {words(lacking)} as zero and divides by {size}: each of these "
            "parameters silently "
            f"gets {len(having)}/{size} of the average of the ranks that use it{half}"
        )
    return (
        f"only {words(having)} will change these parameters: the copies on the ranks drift apart "
        "in silence"
    )


def divergent_losses(
    scene: Scene,
    base: Diagnostic | None,
    having: Sequence[int],
    lacking: Sequence[int],
    *,
    leaf: bool,
) -> list[Diagnostic]:
    """GG302: the loss of some ranks cannot train anything, that of the others can.

    Args:
        scene: the step.
        base: what the first of the failing ranks found about its own loss, if it did.
        having: ranks with a connected loss.
        lacking: the other ranks.
        leaf: `backward()` succeeds on the failing ranks, and reaches no parameter.
    """
    what = (
        "is a leaf of its own, so `backward()` succeeds there and reaches no parameter"
        if leaf
        else "has no graph, so `backward()` raises there"
    )
    span = base.span if base is not None else syntax.method_span(type(scene.model), "training_step")
    return [
        finding(
            "GG302",
            scene,
            params=tuple(scene.judged),
            slots={"some": words(having), "others": words(lacking)},
            span=span,
            related=base.related if base is not None else (),
            op=base.op if base is not None else None,
            metric=base.metric if base is not None else None,
            ranks=tuple(lacking),
            cause=f"on {words(lacking)} the loss {what}"
            + (f"; {base.cause}" if base is not None and base.cause and not leaf else ""),
            evidence=scene.when,
            effect=f"{words(having)} would wait for gradients that {words(lacking)} never sends",
            help=base.help
            if base is not None and base.help
            else "compute the loss in the same way on every rank",
        )
    ]


def awaited_parameters(scene: Scene, names: Sequence[str]) -> list[Diagnostic]:
    """GG104, GG105, GG106 under plain DDP: no rank sends a gradient that all of them wait for."""
    judged = [n for n in names if n in scene.judged]
    found = missing_parameters(scene, judged) + unused_parameters(
        scene, [n for n in names if n not in scene.judged]
    )
    effect = (
        "DDP waits for these gradients: in this step it would average none at all, so the "
        "copies of the model "
        "drift apart, and the next forward pass raises an error of torch's that names no parameter"
    )
    other = (
        "let DDP look for unused parameters, with `DDPStrategy(find_unused_parameters=True)`, or "
    )
    return [
        replace(
            d,
            severity=Severity.ERROR,
            effect=effect,
            help=other + d.help,
        )
        for d in found
    ]


def gradless_shards(scene: Scene, names: Sequence[str], *, zero: bool) -> list[Diagnostic]:
    """GG106, GG203 where parameters are spread over ranks and no trace can follow their shards."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition(".")[0], []).append(name)
    return [_gradless(scene, tuple(group), zero=zero) for group in groups.values()]


def _gradless(scene: Scene, names: tuple[str, ...], *, zero: bool) -> Diagnostic:
    owner, attribute, prefix = owner_of(scene.model, names[0])
    span = definitions.attribute_span(type(owner), attribute)
    why = (
        "every shard of their gradient is exactly zero on every rank. Where a sharded unit "
        "holds used and unused "
        "parameters together, an unused one shows as zero as well"
        if zero
        else "no rank receives a gradient for these parameters"
    )
    return finding(
        "GG203" if zero else "GG106",
        scene,
        params=names,
        slots={
            "op": "",
            "name": prefix,
            "parameters": phrase(names),
            "steps": scene.when.removeprefix("in ") or "every step",
        },
        span=span.labelled(f"`{prefix}` is created here") if span else None,
        cause=why,
        evidence=("max |grad| = 0 over all ranks " if zero else "`.grad` was `None` on all ranks ")
        + scene.when,
        effect="no optimizer step changes these parameters, apart from weight decay and momentum"
        if zero
        else "the optimizer skips these parameters, they keep their initial values",
        help=(
            f"use `{prefix}` in the loss, delete it, or freeze it\n    "
            f"self.{prefix}.requires_grad_(False)"
        ),
    )
