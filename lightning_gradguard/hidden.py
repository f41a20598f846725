# SPDX-License-Identifier: Apache-2.0
"""Find the names of tensors that the loss trains and the module does not know."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import FunctionType
from typing import Any

from torch import Tensor, nn
from torch.autograd.graph import Node

from lightning_gradguard import definitions, syntax
from lightning_gradguard.source import Span, locate
from lightning_gradguard.trace import Trace

__all__ = ["hidden_tensors"]

_DEPTH = 4
_MAX_NODES = 1000
_FRAMEWORKS = frozenset({"torch", "pytorch_lightning", "lightning"})
_REGISTERED = frozenset({"_parameters", "_buffers", "_modules", "_trainer"})


def hidden_tensors(
    model: nn.Module, strays: Sequence[Tensor], trace: Trace
) -> tuple[dict[str, Tensor], dict[str, Span | None]]:
    """Name the stray leaves that are kept on the module or were made as parameters in the step.

    Args:
        model: the module.
        strays: leaves of the loss that are neither registered nor optimized.
        trace: the step in which they were met.

    Returns:
        name -> tensor, and name -> the place where it is kept or made.
    """
    wanted = {id(t): t for t in strays}
    found: dict[str, Tensor] = {}
    spans: dict[str, Span | None] = {}
    for name, leaf, owner, attribute in _kept(model, wanted):
        if id(leaf) not in {id(t) for t in found.values()}:
            found[name] = leaf
            spans[name] = definitions.filling_span(type(owner), attribute)
    named = {id(t) for t in found.values()}
    for stray in strays:
        if id(stray) not in named and isinstance(stray, nn.Parameter):
            name, span = _made_in_step(stray, trace, len(found))
            found[name] = stray
            spans[name] = span
    return found, spans


def _kept(
    model: nn.Module, wanted: Mapping[int, Tensor]
) -> Iterator[tuple[str, Tensor, nn.Module, str]]:
    """Yield the wanted leaves below plain attributes of the registered modules."""
    for prefix, module in model.named_modules():
        stem = f"{prefix}." if prefix else ""
        for attribute, item in (*vars(module).items(), *_class_tensors(type(module))):
            if attribute in _REGISTERED:
                continue
            for name, tensor in _tensors(item, stem + attribute, _DEPTH):
                yield from (
                    (name, leaf, module, attribute)
                    for leaf in _leaves(tensor)
                    if id(leaf) in wanted
                )
        for attribute, buffer in module.named_buffers(recurse=False, remove_duplicate=False):
            if id(buffer) in wanted:
                yield stem + attribute, buffer, module, attribute


def _class_tensors(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the tensors, modules and containers that stand on a class of the user's."""
    for owner in cls.__mro__:
        if owner.__module__.partition(".")[0] not in _FRAMEWORKS:
            kinds = (Tensor, nn.Module, list, tuple, dict)
            yield from ((k, v) for k, v in vars(owner).items() if isinstance(v, kinds))


def _tensors(item: object, name: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested containers, modules in training mode and plain objects."""
    if isinstance(item, Tensor):
        yield name, item
    elif isinstance(item, nn.Module):
        if item.training:
            yield from ((f"{name}.{n}", p) for n, p in item.named_parameters())
    elif depth:
        for key, value in _parts(item):
            yield from _tensors(value, f"{name}.{key}", depth - 1)


def _parts(item: object) -> Iterable[tuple[object, object]]:
    """Return what a container or a plain object of the user's holds, by key."""
    if isinstance(item, Mapping):
        return item.items()
    if isinstance(item, (list, tuple, set)):
        return enumerate(item)
    if isinstance(item, functools.partial):
        return enumerate([*item.args, *item.keywords.values()])
    if isinstance(item, FunctionType):
        return _closed_over(item)
    if callable(item) or type(item).__module__.partition(".")[0] in _FRAMEWORKS:
        return ()
    return list(getattr(item, "__dict__", {}).items())


def _closed_over(function: FunctionType) -> Iterator[tuple[str, object]]:
    """Yield the names and values that a function has taken from around it."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # nothing has been assigned yet
            yield name, cell.cell_contents


def _leaves(tensor: Tensor) -> Iterator[Tensor]:
    """Yield a tensor itself if it is a leaf, else the leaves it was made from."""
    if not tensor.requires_grad:
        return
    if tensor.grad_fn is None:
        yield tensor
        return
    stack, seen = [tensor.grad_fn], set[Node]()
    while stack and len(seen) < _MAX_NODES:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        if variable is not None:
            yield variable
        stack.extend(n for n, _ in node.next_functions if n is not None)


def _made_in_step(stray: Tensor, trace: Trace, number: int) -> tuple[str, Span | None]:
    """Name a parameter that was made while the step ran by the line that made it."""
    for call in trace.calls:
        for value in (*call.inputs, *call.outputs):
            if value.tensor_id == id(stray) and value.kind in {"alias", "leaf"}:
                made = next((v.call for v in value.parents if v.call is not None), call)
                span = locate(made.stack[0]) if made.stack else None
                target = syntax.target_name(made.stack[0]) if made.stack else ""
                return f"{target or 'parameter'}.{number}", span
    return f"parameter.{number}", None
