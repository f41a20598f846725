# SPDX-License-Identifier: Apache-2.0
"""Where a call happens: the user's frames above it, and the module that runs."""

import sys
from types import CodeType, FrameType

from lightning_gradguard.source import Stack, sites_above, sites_until

__all__ = ["Places"]


class Places:
    """The modules that are running, and what is known of the frames above each.

    While a module runs, the frames above it stand still, so they are read once a module and not
    once a call. A frame is known by its number, which is its own as long as it runs.
    """

    def __init__(self) -> None:
        self.modules = [""]  # the innermost last; `""` stands for the code outside of all
        self._frames: list[int] = []
        self._stacks: list[Stack | None] = []
        self._runner: CodeType | None = None  # torch's code that calls hooks and `forward`

    def enter(self, module: str, frame: FrameType) -> None:
        """Note that a module is called from a frame."""
        self._runner = frame.f_code
        self.modules.append(module)
        self._frames.append(id(frame))
        self._stacks.append(None)

    def leave(self) -> None:
        """Note that the innermost module has ended."""
        if self._frames:
            self.modules.pop()
            self._frames.pop()
            self._stacks.pop()

    def resume(self) -> None:
        """Forget the modules that have ended while nobody looked."""
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - a look, no frame is kept
        above = set()
        while frame is not None:
            above.add(id(frame))
            frame = frame.f_back
        while self._frames and self._frames[-1] not in above:
            self.leave()

    def above(self, frame: FrameType | None) -> Stack:
        """Return the user frames from `frame` on, innermost first; no frame is kept."""
        if not self._frames:
            return sites_above(frame)
        sites, module = sites_until(frame, self._runner, self._frames[-1])
        if module is None:
            return tuple(sites)
        stack = self._stacks[-1]
        if stack is None:
            stack = self._stacks[-1] = sites_above(module)
        return (*sites, *stack)
