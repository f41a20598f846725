# SPDX-License-Identifier: Apache-2.0
"""The usual torch calls: functions that change nothing in place, on plain tensors and constants.

Nine of ten calls of a training step are of this kind, so what can be known of them beforehand is
worked out once.
"""

from collections.abc import Callable, Iterable, Mapping
from types import EllipsisType
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard import ops

__all__ = [
    "DIFFERENTIABLE", "FIRST_ONLY", "FIRST_SLOTS", "PLAIN", "SLOTS", "STEPS", "TENSORS", "Slot",
    "Usual", "pack", "usual_functions",
]  # fmt: skip

# Calls that read data of their first argument only; of the others they read the type or the shape.
FIRST_ONLY = frozenset({"type_as", "expand_as", "view_as", "reshape_as", "to", "new_tensor"})
_STEPS = ("round", "floor", "ceil", "trunc", "fix", "sign", "sgn", "heaviside")
STEPS = frozenset({*_STEPS, "round_", "floor_", "ceil_", "sign_"})
DIFFERENTIABLE = frozenset(
    dtype
    for dtype in vars(torch).values()
    if isinstance(dtype, torch.dtype) and (dtype.is_floating_point or dtype.is_complex)
)


class Slot(int):
    """The place of a tensor in the recipe of a call: its position among the inputs."""


SLOTS = tuple(Slot(i) for i in range(64))
FIRST_SLOTS = tuple(SLOTS[:count] for count in range(64))  # of the tensors that a call begins with
TENSORS = frozenset({Tensor, torch.nn.Parameter})
# Types of constants, which may stand in a record as they are.
PLAIN = frozenset(
    {int, float, bool, str, type(None), complex, torch.dtype, torch.device, torch.layout}
    | {torch.memory_format, EllipsisType}
)
_WHOLE = frozenset({int, type(None)})


class Usual:
    """What is known of a function beforehand."""

    __slots__ = ("first_only", "inplace", "name", "step", "structure")

    def __init__(self, name: str, func: Any) -> None:  # noqa: ANN401
        row = ops.OPS.get(name)
        self.name = name
        self.structure = row is not None and row.kind is ops.Kind.SHAPE
        self.first_only = name in FIRST_ONLY
        self.step = name in STEPS
        code = getattr(func, "__code__", None)
        names = code.co_varnames if code is not None else ()
        self.inplace = names.index("inplace") if "inplace" in names else -1

    def writes(self, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> bool:
        """Say whether a call of a function that can work in place is asked to."""
        if len(args) > self.inplace:
            return bool(args[self.inplace])
        return kwargs is not None and bool(kwargs.get("inplace"))


def usual_functions(special: Iterable[str]) -> dict[Any, Usual]:
    """Return the usual ones among torch's public functions.

    Args:
        special: names that need a longer look.

    Example:
        >>> found = usual_functions(["item"])
        >>> torch.relu in found, torch.relu_ in found, torch.Tensor.item in found
        (True, False, False)
    """
    spaces = (torch.Tensor, torch._C.TensorBase, torch, torch.nn.functional, torch._C._nn)  # noqa: SLF001
    more = (torch.special, torch.linalg, torch.fft)
    left_out = frozenset(special)
    functions = {
        func for space in (*spaces, *more) for func in vars(space).values() if _is_function(func)
    }
    return {
        func: Usual(func.__name__, func)
        for func in functions
        if func.__name__ not in left_out
        and (func.__name__.endswith("__") or not func.__name__.endswith("_"))
    }


def _is_function(item: Any) -> bool:  # noqa: ANN401
    return callable(item) and not isinstance(item, type) and bool(getattr(item, "__name__", ""))


def pack(item: Any, take: Callable[[Tensor], Slot], *, nested: bool = True) -> Any:  # noqa: ANN401
    """Return an argument of a call with a `Slot` for every tensor.

    Args:
        item: the argument.
        take: makes the slot of a tensor.
        nested: whether it may be a list or tuple.

    Raises:
        TypeError: there is anything unusual in it.

    Example:
        >>> pack([torch.ones(2), 0.5], lambda _: Slot(7))
        [7, 0.5]
    """
    kind = type(item)
    if kind in TENSORS:
        return take(item)
    if kind in PLAIN or (kind is slice and _is_constant(item)):
        return item
    if not nested or kind not in (list, tuple, torch.Size):
        raise TypeError(kind)
    inner = [pack(part, take, nested=False) for part in item]
    return inner if kind is list else tuple(inner)


def _is_constant(part: slice) -> bool:
    return {type(part.start), type(part.stop), type(part.step)} <= _WHOLE
