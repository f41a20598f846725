# SPDX-License-Identifier: Apache-2.0
"""Calls that torch keeps from function modes: scripted functions, and the making of ragged tensors.

While a step is recorded two entries of torch are replaced by ones that tell the recorder first.
"""

import functools
from collections.abc import Callable
from typing import Any

import torch

from lightning_gradguard.trace.model import SCRIPTED

__all__ = ["listen"]

_Told = Callable[[Callable[..., Any], str, tuple[Any, ...], dict[str, Any]], Any]


def listen(tell: _Told) -> Callable[[], None]:
    """Have the calls told, and return what puts torch's own entries back.

    Args:
        tell: gets the function, its name and its arguments, and returns what the function returns.
    """
    scripted: Any = torch.jit.ScriptFunction
    nested: Any = vars(torch._C)["_nested"]  # noqa: SLF001 - where `torch.nested.nested_tensor` leads
    call, make = scripted.__call__, nested.nested_tensor

    def scripted_call(function: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        run = _named(functools.partial(call, function), function.name, SCRIPTED)
        return tell(run, function.name, args, kwargs)

    def nested_tensor(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return tell(_named(make, "nested_tensor", "torch.nested"), "nested_tensor", args, kwargs)

    def restore() -> None:
        scripted.__call__, nested.nested_tensor = call, make

    scripted.__call__, nested.nested_tensor = scripted_call, nested_tensor
    return restore


def _named(deed: Callable[..., Any], name: str, module: str) -> Callable[..., Any]:
    """Return a function that says under which name users know it."""

    def run(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return deed(*args, **kwargs)

    run.__name__ = run.__qualname__ = name
    run.__module__ = module
    return run
