# SPDX-License-Identifier: Apache-2.0
"""Which steps the ranks compare: a decision from the step alone, so that it is the same on all."""

import math
from dataclasses import dataclass, field
from statistics import median

__all__ = ["Cadence", "cadence"]

# The first steps of a run are compared one by one; then at a price of at most this share of a step.
_EARLY = 100
_SHARE = 0.01
_RAREST = 1000


@dataclass(slots=True)
class Cadence:
    """The steps of one run that are compared.

    Attributes:
        every: compare in every so many steps; `None` until it has been agreed.
        fixed: the user has chosen the number.

    Example:
        >>> steps = Cadence(3)
        >>> [steps.begin(n, float(n)) for n in range(4)]
        [True, False, False, True]
    """

    every: int | None = None
    fixed: bool = False
    _first: int | None = None
    _step: int = 0
    _began: float | None = None
    _costs: list[float] = field(default_factory=list)
    _periods: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take a number that is given for the user's."""
        self.fixed = self.every is not None

    def begin(self, step: int, now: float) -> bool:
        """Say whether a step is compared.

        Args:
            step: global step.
            now: any clock, in s.
        """
        if self._began is not None and len(self._periods) < _EARLY:
            self._periods.append(now - self._began)
        self._began, self._step = now, step
        if self._first is None:
            self._first = step
        early = not self.fixed and step - self._first < _EARLY
        return early or step % (self.every or 1) == 0

    def spent(self, seconds: float) -> None:
        """Take note of what one comparison took on this rank."""
        if len(self._costs) < _EARLY:
            self._costs.append(seconds)

    @property
    def is_open(self) -> bool:
        """Say whether enough has been measured to choose the interval, and none is chosen."""
        return self.every is None and self._first is not None and self._step - self._first >= _EARLY

    @property
    def measured(self) -> tuple[int, int]:
        """Return the price of the comparisons of a step, and the length of a step, in us."""
        # The comparison before the optimizer step costs about as much as the one before backward.
        return round(2e6 * median(self._costs or [0.0])), round(
            1e6 * median(self._periods or [0.0])
        )


def cadence(price: float, period: float) -> int:
    """Return every how many steps to compare so that it costs at most 1 % of the time.

    Args:
        price: one comparison, in us.
        period: one step, in us.

    Example:
        >>> cadence(200, 50_000), cadence(200, 5_000), cadence(200, 0)
        (1, 4, 1000)
    """
    return min(_RAREST, max(1, math.ceil(price / (_SHARE * period)))) if period else _RAREST
