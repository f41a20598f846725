# SPDX-License-Identifier: Apache-2.0
"""The usual torch calls: functions that change nothing in place, on plain tensors and constants.

Nine of ten calls of a training step are of this kind, so what can be known of them beforehand is
worked out once, and their arguments are read in one pass.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard import ops

__all__ = ["DIFFERENTIABLE", "FIRST_ONLY", "STEPS", "Slot", "Usual", "pack", "usual_functions"]

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


_SLOTS = tuple(Slot(i) for i in range(64))
_PLAIN = frozenset(
    {int, float, bool, str, type(None), complex, torch.dtype, torch.device, torch.layout}
    | {torch.memory_format}
)
_Parameter = torch.nn.Parameter
_TENSORS = frozenset({Tensor, _Parameter})
_WHOLE = frozenset({int, type(None)})
_NO_KEYWORDS: dict[str, Any] = {}


class Usual:
    """What is known of a function beforehand."""

    __slots__ = ("first_only", "may_write", "name", "step", "structure")

    def __init__(self, name: str, func: Any) -> None:  # noqa: ANN401
        row = ops.OPS.get(name)
        self.name = name
        self.structure = row is not None and row.kind is ops.Kind.SHAPE
        self.first_only = name in FIRST_ONLY
        self.step = name in STEPS
        code = getattr(func, "__code__", None)
        self.may_write = code is not None and "inplace" in code.co_varnames


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


def pack(
    args: tuple[Any, ...], kwargs: dict[str, Any], tensors: list[Tensor]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Collect the tensors of a call.

    Args:
        args: its arguments.
        kwargs: its keyword arguments.
        tensors: takes up the tensors, in order.

    Returns:
        The arguments with a `Slot` for every tensor; `None` where there is anything unusual.

    Raises:
        IndexError: there are more than 64 tensors.

    Example:
        >>> x = torch.ones(2); found = []
        >>> pack((x, 0.5), {"alpha": 2}, found), found[0] is x
        (((0, 0.5), {'alpha': 2}), True)
    """
    packed: list[Any] = []
    for item in args:
        kind = type(item)
        if kind is Tensor or kind is _Parameter:
            packed.append(_SLOTS[len(tensors)])
            tensors.append(item)
        elif kind in _PLAIN:
            packed.append(item)
        else:
            inner = _pack_all((item,), tensors, nested=True)
            if inner is None:
                return None
            packed.append(inner[0])
    if not kwargs:
        return tuple(packed), _NO_KEYWORDS
    values = None if "out" in kwargs else _pack_all(kwargs.values(), tensors, nested=True)
    return None if values is None else (tuple(packed), dict(zip(kwargs, values, strict=True)))


def _pack_all(items: Iterable[Any], tensors: list[Tensor], *, nested: bool) -> list[Any] | None:
    packed: list[Any] = []
    for item in items:
        kind = type(item)
        if kind in _TENSORS:
            packed.append(_SLOTS[len(tensors)])
            tensors.append(item)
        elif kind in _PLAIN or (kind is slice and _is_constant(item)):
            packed.append(item)
        elif nested and (kind is tuple or kind is list or kind is torch.Size):
            inner = _pack_all(item, tensors, nested=False)
            if inner is None:
                return None
            packed.append(inner if kind is list else tuple(inner))
        else:
            return None
    return packed


def _is_constant(part: slice) -> bool:
    return {type(part.start), type(part.stop), type(part.step)} <= _WHOLE
