# SPDX-License-Identifier: Apache-2.0
"""Calls that torch keeps from function modes: scripted functions, ragged tensors, foreign memory.

While a step is recorded these entries of torch are replaced by ones that tell the recorder first.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lightning_gradguard.trace.model import SCRIPTED

__all__ = ["listen"]

# Scripted functions, the way of `torch.nested.nested_tensor`, and makers from foreign memory.
_ENTRIES: tuple[tuple[Any, str], ...] = (
    (torch.jit.ScriptFunction, "__call__"),
    (vars(torch._C)["_nested"], "nested_tensor"),  # noqa: SLF001
    (torch, "from_numpy"),
    (torch, "from_dlpack"),
    (torch, "frombuffer"),
)
_Told = Callable[[Callable[..., Any], str, tuple[Any, ...], dict[str, Any]], Any]


def listen(tell: _Told, knows: Callable[[Tensor], bool]) -> Callable[[], None]:
    """Have the calls told, and return what puts torch's own entries back.

    Args:
        tell: gets the function, its name and its arguments, and returns what the function returns.
        knows: says whether a tensor shares the memory of one that was met before.
    """
    places = [(owner, name, getattr(owner, name)) for owner, name in _ENTRIES]
    (_, _, call), (_, _, make), *makers = places

    def scripted_call(function: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Tell of a scripted function under its own name."""
        run = _named(functools.partial(call, function), function.name, SCRIPTED)
        return tell(run, function.name, args, kwargs)

    def nested_tensor(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Tell of the making of a ragged tensor."""
        return tell(_named(make, "nested_tensor", "torch.nested"), "nested_tensor", args, kwargs)

    entries = [
        scripted_call,
        nested_tensor,
        *(_from_memory(m, n, tell, knows) for _, n, m in makers),
    ]
    for (owner, name, _), entry in zip(places, entries, strict=True):
        setattr(owner, name, entry)

    def restore() -> None:
        """Put torch's own entries back."""
        for owner, name, old in places:
            setattr(owner, name, old)

    return restore


def _from_memory(
    make: Callable[..., Tensor], name: str, tell: _Told, knows: Callable[[Tensor], bool]
) -> Callable[..., Tensor]:
    """Return a maker of tensors from foreign memory that tells of memory that nobody knows."""

    @functools.wraps(make)
    def entry(*args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401
        """Make the tensor, and tell of it if its memory is new."""
        out = make(*args, **kwargs)
        if knows(out):
            return out
        made: Tensor = tell(_named(lambda *_, **__: out, name, "torch"), name, args, kwargs)
        return made

    return entry


def _named(deed: Callable[..., Any], name: str, module: str) -> Callable[..., Any]:
    """Return a function that says under which name users know it."""

    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return deed(*args, **kwargs)

    run.__name__ = run.__qualname__ = name
    run.__module__ = module
    return run
