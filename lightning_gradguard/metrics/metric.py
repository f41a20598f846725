# SPDX-License-Identifier: Apache-2.0
"""What is known about a recognised metric."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lightning_gradguard.trace import Call, Value

__all__ = ["Metric"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A recognised metric.

    Attributes:
        name: torchmetrics class.
        arguments: its arguments.
        scores: value of the model that goes in, `None` where unknown.
        target: value that it is compared with.
        decision: the call that makes hard predictions.
        value: the scalar that is a multiple of the metric, plus a constant.
        scale: factor and constant of that.
        same: whether these arguments reproduce the number of the traced batch, `None` if unchecked.
        kind: what the predictions are, as in `Sample.kind`; `share` where only the family is known,
            `sides` where the scores of two groups should lie on two sides of a bound.
        also: other classes that have the same value.
        against: scores of the second group of `sides`.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    scores: Value | None = None
    target: Value | None = None
    decision: Call | None = None
    value: Value | None = None
    scale: tuple[float, float] = (1.0, 0.0)
    same: bool | None = None
    kind: str = ""
    also: tuple[str, ...] = ()
    against: Value | None = None

    @property
    def call(self) -> str:
        """Return the constructor call, as in `MulticlassAccuracy(num_classes=10)`."""
        shown = {k: v for k, v in self.arguments.items() if k != "note"}
        inner = ", ".join(
            f'{k}="{v}"' if isinstance(v, str) else f"{k}={v!r}" for k, v in shown.items()
        )
        return f"{self.name}({inner})"

    @property
    def note(self) -> str:
        """Return how the user's convention differs from torchmetrics, `""` where it does not."""
        return str(self.arguments.get("note", ""))
