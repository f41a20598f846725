# SPDX-License-Identifier: Apache-2.0
"""Steps of optimizers that the Trainer does not see, and the gradients that they went without."""

from typing import TYPE_CHECKING, Any

from torch.optim.optimizer import register_optimizer_step_pre_hook

from lightning_gradguard.flow import State
from lightning_gradguard.roster import raw_of
from lightning_gradguard.run import Run

if TYPE_CHECKING:
    from torch.utils.hooks import RemovableHandle

__all__ = ["UnseenSteps"]


class UnseenSteps:
    """Hears of every step that an optimizer takes in a batch of manual optimization.

    Args:
        run: whose optimizers.
    """

    def __init__(self, run: Run) -> None:
        self.run = run
        self._handle: RemovableHandle | None = None
        self._stepped: set[int] = set()
        self._gradless: dict[int, list[int]] = {}

    def listen(self) -> None:
        """Begin a batch."""
        self._stepped.clear()
        if self._handle is None and not self.run.automatic:
            self._handle = register_optimizer_step_pre_hook(self._hear)

    def stop(self) -> None:
        """End a batch."""
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def _hear(self, optimizer: Any, *_: object) -> None:  # noqa: ANN401
        self._stepped.add(id(optimizer))

    def note_gradless(self, optimizer: Any) -> None:  # noqa: ANN401
        """Note a batch without any gradient for an optimizer: a step, or just not its turn."""
        if id(optimizer) in self._stepped:
            self._gradless.setdefault(id(optimizer), []).append(self.run.step)

    def judge(self) -> None:
        """Put the steps of those that have never found a gradient into the audit."""
        audit = self.run.audit
        for optimizer in self.run.optimizers:
            raw = raw_of(optimizer)
            named = self.run.judged(raw) if id(raw) in self._gradless else {}
            if not any(n in audit.tracks for n in named):
                for step in self._gradless.get(id(raw), ()):
                    audit.observe(named, step, states=dict.fromkeys(named, State.NONE))
