# SPDX-License-Identifier: Apache-2.0
"""The arguments of a call: the tensors among them, and a copy without any tensor."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard.usual import Slot

__all__ = ["collect", "constant_of", "recipe_of", "tensors_in"]

_CONSTANTS = (int, float, bool, str, type(None), complex, torch.dtype, slice)
_PARTS = (*_CONSTANTS, torch.device, torch.layout, torch.memory_format)


def collect(items: Iterable[Any], found: list[Tensor], depth: int = 4) -> None:
    """Append the tensors in nested lists, tuples and dicts to `found`."""
    for item in items:
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, (list, tuple)):
            if depth:
                collect(item, found, depth - 1)
        elif isinstance(item, dict) and depth:
            collect(item.values(), found, depth - 1)


def tensors_in(args: tuple[Any, ...], kwargs: Mapping[str, Any] | None) -> list[Tensor]:
    """Return the tensors among the arguments of a call, in order."""
    found: list[Tensor] = []
    collect(args, found)
    if kwargs:
        collect(kwargs.values(), found)
    return found


def constant_of(item: Any) -> Any:  # noqa: ANN401
    """Keep a small constant argument; anything else becomes `...`, so that no tensor is held."""
    if isinstance(item, _CONSTANTS):
        return ... if type(item) is Slot else item
    if isinstance(item, (tuple, list)) and all(isinstance(i, _CONSTANTS) for i in item):
        return ... if Slot in map(type, item) else tuple(item)
    return ...


def recipe_of(
    args: tuple[Any, ...], kwargs: dict[str, Any], count: int
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the arguments with tensors replaced by places, `None` where one is no constant."""
    counter = iter(range(count))
    try:
        plain = tuple([_part(a, counter) for a in args])
        return plain, {k: _part(v, counter) for k, v in kwargs.items()}
    except (TypeError, StopIteration, RuntimeError):
        return None


def _part(item: Any, counter: Iterator[int]) -> Any:  # noqa: ANN401
    if isinstance(item, Tensor):
        return Slot(next(counter))
    if item is Ellipsis or isinstance(item, _PARTS):
        return item
    if isinstance(item, (list, tuple)):
        if type(item) not in (list, tuple):
            return tuple(item)
        return type(item)([_part(i, counter) for i in item])
    message = "not a constant"
    raise TypeError(message)
