# SPDX-License-Identifier: Apache-2.0
"""What surrounds a call: other people's modes, the switch of grad mode, the metric that runs."""

import gc
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch._C import DisableTorchFunction
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from lightning_gradguard.source import caller_in, capture
from lightning_gradguard.trace.model import Off

__all__ = [
    "Collector", "describe_switch", "dispatch_modes", "leaves_block", "library_name", "take_out",
    "unseen",
]  # fmt: skip

dispatch_modes: Callable[[], int] = torch._C._len_torch_dispatch_stack  # noqa: SLF001
# A recorded call leaves half a dozen objects behind, any other almost none.
_OBJECTS = 64
_RARE = 1000
_MOST = 2**31 - 1  # that fit into the collector's counts


class Collector:
    """Python's garbage collector, held back while a record grows by thousands of objects.

    It starts by counting new objects, of which the record has many that stay. With larger counts it
    looks at new objects every few thousand calls; to look at all that have stayed, which would find
    nothing, has to wait.
    """

    def __init__(self) -> None:
        self._before: tuple[int, int, int] | None = None

    def calm(self) -> None:
        """Hold it back."""
        if self._before is None:
            now = gc.get_threshold()
            self._before = _ours.get(now, now)  # another guard may be holding it
            _ours[_scaled(self._before)] = self._before
            gc.set_threshold(*_scaled(self._before))

    def restore(self) -> None:
        """Let it go on as before, unless somebody else has said how."""
        if self._before is not None and gc.get_threshold() == _scaled(self._before):
            gc.set_threshold(*self._before)
        self._before = None

    def __del__(self) -> None:
        """Let it go on even if a fault has kept everybody from saying so."""
        self.restore()


def _scaled(counts: tuple[int, int, int]) -> tuple[int, int, int]:
    young, *old = counts
    middle, full = (min(_RARE * count, _MOST) for count in old)
    return min(_OBJECTS * young, _MOST), middle, full


_ours: dict[tuple[int, int, int], tuple[int, int, int]] = {}  # larger counts -> those before


def unseen(deed: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
    """Do something of the guard's own out of sight of the user's function and dispatch modes."""
    with DisableTorchFunction():
        if not dispatch_modes():
            return deed(*args)
        with _disable_current_modes():
            return deed(*args)


def take_out(mode: TorchFunctionMode, depth: int) -> None:
    """Remove a mode that was pushed at `depth`, and leave all others as if it had never been there.

    A mode pops whatever is on top when it ends. One that was opened later may still be above; one
    that was opened earlier and has ended since has popped this mode instead of itself.
    """
    above = []
    while torch._C._len_torch_function_stack() > depth:  # noqa: SLF001
        top = torch._C._pop_torch_function_stack()  # noqa: SLF001
        if top is mode:
            break
        above.append(top)
    else:
        if depth:
            torch._C._pop_torch_function_stack()  # noqa: SLF001
    for other in reversed(above):
        torch._C._push_on_torch_function_stack(other)  # noqa: SLF001


def leaves_block() -> bool:
    """Say whether the grad mode is being put back at the end of a block or decorated function."""
    frame = caller_in("/torch/autograd/grad_mode.py", 3)
    while frame is not None and frame.f_code.co_filename.endswith("/torch/autograd/grad_mode.py"):
        if frame.f_code.co_name == "__exit__":
            return True
        frame = frame.f_back
    return False


def describe_switch() -> Off:
    """Say who switched recording off: block, decorator, function call or checkpoint."""
    stack = capture(5)
    if caller_in("/torch/utils/checkpoint.py", 5) is not None:
        return Off("torch.utils.checkpoint.checkpoint", stack)
    decorator = caller_in("/torch/utils/_contextlib.py", 5)
    frame = caller_in("/torch/autograd/grad_mode.py", 3)
    owner = "set_grad_enabled"
    while frame is not None and frame.f_code.co_filename.endswith("/torch/autograd/grad_mode.py"):
        owner, frame = frame.f_code.co_qualname.partition(".")[0], frame.f_back
    wrapped = decorator.f_locals.get("func") if decorator is not None else None
    return Off(f"torch.{owner}", stack, getattr(wrapped, "__code__", None))


def library_name(frame: FrameType | None) -> str:
    """Return the running torchmetrics class or function, the one that the user would name."""
    functions: list[str] = []
    while frame is not None and "torch" in frame.f_code.co_filename:
        name, path = frame.f_code.co_name, frame.f_code.co_filename
        if name in {"update", "compute", "forward"}:
            owner = type(frame.f_locals.get("self"))
            if owner.__module__.startswith("torchmetrics"):
                return owner.__name__
        if "/torchmetrics/functional/" in path.replace("\\", "/") and name[0] not in "_<":
            functions.append(name)
        frame = frame.f_back
    exact = [f for f in functions if f.startswith(("binary_", "multiclass_", "multilabel_"))]
    return (exact or functions or [""])[-1]
