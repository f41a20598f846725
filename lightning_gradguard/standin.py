# SPDX-License-Identifier: Apache-2.0
"""Guards that the environment puts into a Trainer, and that step back before one put in by hand."""

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from lightning_gradguard.callback import GradGuard
from lightning_gradguard.callback import _bases as callback_bases

if TYPE_CHECKING:
    from lightning_gradguard.session import Session

__all__ = ["Observed", "Refusal", "StandIn", "guard_of"]

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
    return next(reversed(own or guards), None)


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
        else:
            self._routing = None

    def state_dict(self) -> dict[str, Any]:
        """Save nothing, so that a run without the variable can load the checkpoint quietly."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Have nothing to take up."""


class Observed(StandIn):
    """A stand-in that tells a test session what was trained, by whichever guard works here.

    Args:
        tell: called once a fit with the class of the model, name -> whether the parameter was
            reached, and the report.
        options: those of GradGuard.
    """

    def __init__(self, tell: Callable[..., None], **options: Any) -> None:  # noqa: ANN401
        super().__init__(**options)
        self._tell_session = tell
        self._watched: tuple[GradGuard, Session] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the session behind: it belongs to this process."""
        return super().__getstate__() | {"_watched": None, "_tell_session": _tell_nobody}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ANN401
        """Take note of the session here; the guard lets go of it before this one ends."""
        super().on_train_start(trainer, pl_module)
        guard = guard_of(trainer.callbacks)
        if guard is not None and guard._session is not None:  # noqa: SLF001  # of the same package
            self._watched = guard, guard._session  # noqa: SLF001

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ANN401
        """Tell, also where the last judgement raises."""
        try:
            super().on_train_end(trainer, pl_module)
        finally:
            self._told(pl_module)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:  # noqa: ANN401
        """Tell what was reached until then."""
        super().on_exception(trainer, pl_module, exception)
        self._told(pl_module)

    def _told(self, pl_module: Any) -> None:  # noqa: ANN401
        watched, self._watched = self._watched, None
        if watched is None:
            return
        guard, session = watched
        tracks = session.audit.tracks
        names = {name: name in tracks and tracks[name].alive > 0 for name in session.judged()}
        names |= {name: track.alive > 0 for name, track in tracks.items()}
        self._tell_session(type(pl_module).__qualname__.rpartition(">.")[2], names, guard.report)


def _tell_nobody(*_: object) -> None:
    """Stand in for a test session in another process."""


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
