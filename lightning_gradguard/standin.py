# SPDX-License-Identifier: Apache-2.0
"""Guards that the environment puts into a Trainer, and that step back before one put in by hand."""

from itertools import count
from typing import Any

from lightning_gradguard.callback import GradGuard
from lightning_gradguard.callback import _bases as callback_bases

__all__ = ["Refusal", "StandIn"]

_NUMBERS = count(1)


def guard_of(callbacks: list[Any]) -> GradGuard | None:
    """Return the guard that works in a Trainer: the user's own, else the newest stand-in.

    A list of callbacks that is used for two Trainers holds the stand-in of the first one too,
    because Lightning extends the list that it was given.

    Args:
        callbacks: those of the Trainer.
    """
    guards = [callback for callback in callbacks if isinstance(callback, GradGuard)]
    own = [guard for guard in guards if not isinstance(guard, StandIn)]
    return (own or guards or [None])[-1]


class StandIn(GradGuard):
    """A guard that nobody wrote into the code; leaves no trace in checkpoints."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # those of GradGuard
        super().__init__(**options)
        self._number = next(_NUMBERS)

    @property
    def state_key(self) -> str:
        """Be unique: Lightning refuses two callbacks with the same key."""
        return f"{type(self).__qualname__}{self._number}"

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ANN401
        """Start, unless another guard works in this Trainer."""
        if guard_of(trainer.callbacks) is self:
            super().setup(trainer, pl_module, stage)

    def state_dict(self) -> dict[str, Any]:
        """Save nothing, so that a run without the variable can load the checkpoint quietly."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Have nothing to take up."""


class Refusal(*callback_bases()):  # type: ignore[misc]  # the bases depend on what is installed
    """Says at the beginning of `fit` what is wrong with the variable.

    Args:
        message: what was expected, and what came.
    """

    def __init__(self, message: str) -> None:
        super().__init__()
        self.message = message

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ANN401, ARG002
        """Raise; a job that was meant to be guarded must not pass unguarded."""
        if stage == "fit":
            raise ValueError(self.message)
