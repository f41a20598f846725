# SPDX-License-Identifier: Apache-2.0
"""What a rule may look at, and the one place where a `Diagnostic` is made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypedDict, Unpack

from torch import Tensor, nn

from lightning_gradguard.flow import Flow
from lightning_gradguard.lineage import Lineage
from lightning_gradguard.rules import RULES, Diagnostic, Severity
from lightning_gradguard.source import Span
from lightning_gradguard.trace import Trace

__all__ = ["Details", "Scene", "finding", "numel_of", "size_of"]


@dataclass(slots=True)
class Scene:
    """What a rule may look at.

    Attributes:
        trace: the traced step.
        flows: what the backward passes of that step did, one a loss, where they were watched.
        model: the module, for the places where parameters are made.
        judged: name -> parameter that an optimizer trains.
        step: global step of the trace.
        when: how long the state has lasted, as in `in 3 of 3 steps`.
        zeros: parameters whose gradient is all zero.
        hopeless: no parameter at all has received a gradient so far.
        automatic: the trainer calls the backward pass, once a step.
        unfinished: other losses of the step may follow.
    """

    trace: Trace
    model: nn.Module
    judged: Mapping[str, Tensor]
    flows: Sequence[Flow] = ()
    step: int = 0
    when: str = ""
    zeros: frozenset[str] = frozenset()
    hopeless: bool = False
    automatic: bool = True
    unfinished: bool = False
    sharded: bool = False
    sizes: Mapping[str, int] = field(default_factory=dict)
    _lineage: list[Lineage] = field(default_factory=list)

    @property
    def lineage(self) -> Lineage:
        """Return the queries on the trace, made once."""
        if not self._lineage:
            self._lineage.append(
                Lineage(self.trace, self.judged.keys(), unfinished=self.unfinished)
            )
        return self._lineage[0]


class Details(TypedDict, total=False):
    """What a rule may say beyond its code and place, named as in `Diagnostic`."""

    params: tuple[str, ...]
    related: tuple[Span, ...]
    op: str | None
    cause: str
    evidence: str
    effect: str
    help: str
    ranks: tuple[int, ...] | None
    metric: str | None
    params_total: int
    values: int
    values_total: int


def finding(
    code: str,
    scene: Scene,
    *,
    span: Span | None,
    slots: Mapping[str, str] | None = None,
    severity: Severity | None = None,
    **details: Unpack[Details],
) -> Diagnostic:
    """Make a diagnostic: the static part from the rule, the dynamic part from the arguments."""
    rule = RULES[code]
    params = details.get("params", ())
    said = Details(
        params_total=len(scene.judged) or len(params),
        values=size_of(scene, params),
        values_total=sum(scene.sizes.get(n) or numel_of(p) for n, p in scene.judged.items()),
    )
    said.update(details)
    return Diagnostic(
        code=code,
        name=rule.name,
        severity=severity or rule.severity,
        message=rule.message.format(**slots) if slots else rule.message,
        span=span,
        step=scene.step,
        **said,
    )


def size_of(scene: Scene, names: Iterable[str]) -> int:
    """Return the number of values of some parameters."""
    named = dict(scene.model.named_parameters())
    held = {**named, **scene.judged}
    return sum(scene.sizes.get(n) or numel_of(held[n]) for n in names if n in held)


def numel_of(param: Tensor) -> int:
    """Return the number of values of a parameter, 0 where a lazy module has yet to make them."""
    return 0 if nn.parameter.is_lazy(param) else param.numel()
