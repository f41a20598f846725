# SPDX-License-Identifier: Apache-2.0
"""Run a failing training step once more, on a copy of the module that leaves nothing behind."""

import copy
import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType
from typing import Any, Self

import torch
from torch import Tensor, nn

__all__ = ["Replay", "random_state_of"]

_SEEDED = ("cuda", "mps", "xpu")


class Replay:
    """One training step that can be run again.

    Args:
        model: the module; it is copied, never run.
        arguments: what `training_step` was called with, batch first.
        around: makes the context in which the step runs, as for mixed precision.
    """

    def __init__(
        self,
        model: nn.Module,
        arguments: tuple[Any, ...],
        around: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self._model, self._arguments, self._around = model, arguments, around
        self._state: Tensor | None = None

    def mark(self) -> Self:
        """Note the random state that the step begins with; without it, it is the one of the day."""
        self._state = torch.default_generator.get_state()
        return self

    def has_drawn(self) -> bool:
        """Say whether random numbers have been drawn since the mark."""
        return self._state is not None and not torch.equal(self._state, torch.get_rng_state())

    def copy(self) -> nn.Module:
        """Return a copy of the module that logs nothing.

        Raises:
            Exception: whatever copying the module raises.
        """
        memo: dict[int, Any] = {}
        for module in self._model.modules():
            for value in vars(module).values():
                if isinstance(value, Tensor) and value.grad_fn is not None:
                    memo[id(value)] = value.detach()
        twin = copy.deepcopy(self._model, memo)
        trainer = self._model.__dict__.get("_trainer")
        for name, value in (("_trainer", trainer), ("log", _silent), ("log_dict", _silent)):
            twin.__dict__[name] = value
        return twin

    def run(self, twin: nn.Module) -> Tensor | None:
        """Run the step on a copy with the random state of the mark; return its loss."""
        step = twin.training_step
        count = len(inspect.signature(step).parameters)  # type: ignore[arg-type]
        state = torch.get_rng_state() if self._state is None else self._state
        with random_state_of(state, _devices(twin)), self._around():
            out = step(*self._arguments[:count])  # type: ignore[operator]
        loss = out.get("loss") if isinstance(out, dict) else out
        return loss if isinstance(loss, Tensor) else None


def _devices(model: nn.Module) -> list[torch.device]:
    """Return the devices of a module that have random numbers of their own."""
    devices = {t.device for t in (*model.parameters(), *model.buffers())}
    return [device for device in devices if device.type in _SEEDED]


@contextmanager
def random_state_of(state: Tensor, devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Set torch's random state for a while; torch, numpy and Python go on as before after it.

    Args:
        state: of the CPU.
        devices: others of one type that go on as before. No more are touched: asking a GPU that
            nobody uses would set it up.
    """
    kind = devices[0].type if devices else _SEEDED[0]
    python, numpy = random.getstate(), _numpy_random()
    numbers = numpy.get_state() if numpy is not None else None
    try:
        with torch.random.fork_rng(devices, device_type=kind):
            torch.set_rng_state(state)
            yield
    finally:
        random.setstate(python)
        if numpy is not None:
            numpy.set_state(numbers)


def _numpy_random() -> ModuleType | None:
    try:
        import numpy as np
    except ImportError:
        return None
    return np.random


def _silent(*_args: object, **_kwargs: object) -> None:
    """Stand in for `log` on the copy."""
