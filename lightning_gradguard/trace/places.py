# SPDX-License-Identifier: Apache-2.0
"""Where a call happens: the user's frames above it, and the module that runs."""

import sys
from types import CodeType, FrameType

from lightning_gradguard.source import KINDS, METRIC, STOP, USER, Stack, kind_of

__all__ = ["Places"]


class _Path:
    """The user frames from a call upwards as far as they have been read; each path is kept once."""

    __slots__ = ("longer", "sites", "whole")

    def __init__(self, sites: Stack = ()) -> None:
        self.sites = sites
        self.longer: dict[tuple[int, int], _Path] = {}  # by `id` of the code and offset
        self.whole: dict[int, Stack] = {}  # with what is above the module, by its `id`

    def lengthened(self, frame: FrameType) -> "_Path":
        """Return a path with one frame more that is new."""
        path = _Path((*self.sites, (frame.f_code, frame.f_lasti)))
        return self.longer.setdefault((id(frame.f_code), frame.f_lasti), path)

    def joined(self, above: Stack) -> Stack:
        """Return the path together with the frames above the module."""
        return self.whole.setdefault(id(above), (*self.sites, *above))


class Places:
    """The modules that are running, and what is known of the frames above each.

    While a module runs, the frames above it stand still, so they are read once a module and not
    once a call. A frame is known by its number, which is its own as long as it runs.
    """

    def __init__(self) -> None:
        self.modules = [""]  # the innermost last; `""` stands for the code outside of all
        self._frames: list[int] = [0]
        self._stacks: list[Stack | None] = [None]
        self._runner: CodeType | None = None  # torch's code that calls hooks and `forward`
        self._start = _Path()

    def enter(self, module: str, frame: FrameType) -> None:
        """Note that a module is called from a frame."""
        self._runner = frame.f_code
        self.modules.append(module)
        self._frames.append(id(frame))
        self._stacks.append(None)

    def leave(self) -> None:
        """Note that the innermost module has ended."""
        if len(self._frames) > 1:
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
        while len(self._frames) > 1 and self._frames[-1] not in above:
            self.leave()

    def above(self, frame: FrameType | None, *, outside: bool = False) -> Stack:
        """Return the user frames from `frame` on, innermost first; no frame is kept.

        Args:
            frame: where to begin.
            outside: it is not within the innermost module.

        Raises:
            LookupError: there is a metric among the frames, which has a name to be found.
        """
        path, runner, number = self._start, self._runner, 0 if outside else self._frames[-1]
        while frame is not None:
            code = frame.f_code
            if code is runner and id(frame) == number:
                above = self._stacks[-1] or self._above_module(frame)
                return path.whole.get(id(above)) or path.joined(above)
            kind = KINDS.get(code.co_filename)
            if kind is None:
                kind = kind_of(code.co_filename)
            if kind == USER:
                # To ask code for its hash would take long.
                path = path.longer.get((id(code), frame.f_lasti)) or path.lengthened(frame)
            elif kind == STOP:
                break
            elif kind == METRIC:
                raise LookupError
            frame = frame.f_back
        return path.sites

    def _above_module(self, frame: FrameType) -> Stack:
        """Read the user frames above the module that runs."""
        above = self._stacks[-1] = self.above(frame, outside=True)
        return above
