# SPDX-License-Identifier: Apache-2.0
"""The GG3 block: ranks that differ."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lightning_gradguard import definitions, syntax
from lightning_gradguard.diagnose.missing import missing_parameters, unused_parameters
from lightning_gradguard.diagnose.places import first_use, owner_of
from lightning_gradguard.diagnose.scene import Scene, finding
from lightning_gradguard.diagnose.words import phrase
from lightning_gradguard.ranks import words
from lightning_gradguard.rules import Diagnostic, Severity
from lightning_gradguard.source import Span

__all__ = [
    "Sides",
    "awaited_parameters",
    "divergent_losses",
    "divergent_parameters",
    "gradless_shards",
]


@dataclass(frozen=True, slots=True)
class Sides:
    """The ranks that have something, and the others."""

    having: Sequence[int]
    lacking: Sequence[int]

    @property
    def slots(self) -> dict[str, str]:
        """Return both sides in words, under the names that the messages use."""
        return {"some": words(self.having), "others": words(self.lacking)}


def divergent_parameters(
    scene: Scene, names: Sequence[str], sides: Sides, *, exchange: str, use: Span | None = None
) -> list[Diagnostic]:
    """GG301: the graph reaches these parameters on some ranks only.

    Args:
        scene: the step, best on a rank whose graph reaches them.
        names: the parameters.
        sides: the ranks whose graph reaches them, and the others.
        exchange: what happens to such a gradient: `wait`, `mean` or `none`.
        use: a call that reads one of them, where an earlier trace showed it.
    """
    mine, others = words(sides.having), words(sides.lacking)
    return [
        finding(
            "GG301",
            scene,
            params=tuple(names),
            slots={"parameters": phrase(names), **sides.slots},
            span=_place_of_use(scene, names, sides, use or first_use(scene, names)),
            ranks=tuple(sides.lacking),
            cause=(
                f"the loss depends on {phrase(names)} on {mine}; on {others} no path leads from "
                "the loss to them"
            ),
            evidence=scene.when,
            effect=_what_becomes(exchange, sides),
            help=(
                "let every rank use the same layers in the same step; where a rank has nothing to "
                "add, multiply by 0 instead of leaving the layer out"
            ),
        )
    ]


def _place_of_use(
    scene: Scene, names: Sequence[str], sides: Sides, use: Span | None
) -> Span | None:
    """Return where some ranks use the parameters, or else where the parameters are made."""
    mine, others = words(sides.having), words(sides.lacking)
    if use is not None:
        return use.labelled(f"used here on {mine}, not on {others}")
    owner, attribute, prefix = owner_of(scene.model, names[0])
    made = definitions.attribute_span(type(owner), attribute)
    return made.labelled(f"`{prefix}` is used on {mine}, not on {others}") if made else None


def _what_becomes(exchange: str, sides: Sides) -> str:
    """Say what a strategy makes of a gradient that only some ranks have."""
    share, size = len(sides.having), len(sides.having) + len(sides.lacking)
    if exchange == "wait":
        return (
            "the ranks exchange different gradients: each waits for what the other never sends, "
            "and the job hangs until the time limit of the process group ends it, or aborts"
        )
    if exchange == "mean":
        half = ", that is half of it" if 2 * share == size else ""
        return (
            f"the exchange counts {words(sides.lacking)} as zero and divides by {size}: each of "
            f"these parameters silently gets {share}/{size} of the average of the ranks that use "
            f"it{half}"
        )
    return (
        f"only {words(sides.having)} will change these parameters: the copies on the ranks drift "
        "apart in silence"
    )


def divergent_losses(
    scene: Scene, base: Diagnostic | None, sides: Sides, *, leaf: bool
) -> list[Diagnostic]:
    """GG302: the loss of some ranks cannot train anything, that of the others can.

    Args:
        scene: the step.
        base: what the first of the failing ranks found about its own loss, if it did.
        sides: the ranks with a connected loss, and the others.
        leaf: `backward()` succeeds on the failing ranks, and reaches no parameter.
    """
    what = (
        "is a leaf of its own, so `backward()` succeeds there and reaches no parameter"
        if leaf
        else "has no graph, so `backward()` raises there"
    )
    why = f"; {base.cause}" if base is not None and base.cause and not leaf else ""
    repair = base.help if base is not None else ""
    mine, others = words(sides.having), words(sides.lacking)
    return [
        finding(
            "GG302",
            scene,
            params=tuple(scene.judged),
            slots=sides.slots,
            span=base.span if base is not None else _place_of_loss(scene, others),
            related=base.related if base is not None else (),
            op=base.op if base is not None else None,
            metric=base.metric if base is not None else None,
            ranks=tuple(sides.lacking),
            cause=f"on {others} the loss {what}{why}",
            evidence=scene.when,
            effect=f"{mine} would wait for gradients that {others} never sends",
            help=repair
            or (
                "compute the loss in the same way on every rank; where a rank has nothing to train "
                "on, multiply its loss by 0"
            ),
        )
    ]


def _place_of_loss(scene: Scene, others: str) -> Span | None:
    """Return where the loss is made, if no operation in it is to blame."""
    method = syntax.method_span(type(scene.model), "training_step")
    return method.labelled(f"no path to parameters on {others}") if method else None


def awaited_parameters(scene: Scene, names: Sequence[str]) -> list[Diagnostic]:
    """GG104, GG105, GG106 under plain DDP: no rank sends a gradient that all of them wait for."""
    idle = [n for n in names if n not in scene.judged]
    found = missing_parameters(scene, names) + unused_parameters(scene, idle)
    effect = (
        "DDP waits for these gradients: in this step it would average none at all, so the copies "
        "of the model drift apart, and the next forward pass raises an error of torch's that "
        "names no parameter"
    )
    other = (
        "let DDP look for unused parameters, with `DDPStrategy(find_unused_parameters=True)`, or "
    )
    return [replace(d, severity=Severity.ERROR, effect=effect, help=other + d.help) for d in found]


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
