# SPDX-License-Identifier: Apache-2.0
"""Find the names of tensors that the loss trains and the module does not know."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from lightning_gradguard import definitions, syntax
from lightning_gradguard.source import Span, locate
from lightning_gradguard.trace import Trace

__all__ = ["hidden_tensors"]

_DEPTH = 4
_FRAMEWORKS = frozenset({"torch", "pytorch_lightning", "lightning", "builtins"})


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
        for attribute, item in (*vars(module).items(), *_class_tensors(type(module))):
            if attribute.startswith("_") and attribute in {
                "_parameters",
                "_buffers",
                "_modules",
                "_trainer",
            }:
                continue
            base = f"{prefix}.{attribute}" if prefix else attribute
            for name, tensor in _tensors(item, base, _DEPTH):
                for leaf in _leaves(tensor):
                    if id(leaf) in wanted:
                        yield name, leaf, module, attribute
        for attribute, buffer in module._buffers.items():
            if buffer is not None and id(buffer) in wanted:
                yield f"{prefix}.{attribute}" if prefix else attribute, buffer, module, attribute


def _class_tensors(cls: type) -> Iterator[tuple[str, Any]]:
    """Yield the tensors, modules and containers that stand on a class of the user's."""
    for owner in cls.__mro__:
        if owner.__module__.partition(".")[0] not in _FRAMEWORKS:
            kinds = (Tensor, nn.Module, list, tuple, dict)
            yield from ((k, v) for k, v in vars(owner).items() if isinstance(v, kinds))


def _tensors(item: Any, name: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested containers, modules in training mode and plain objects."""
    if isinstance(item, Tensor):
        yield name, item
    elif isinstance(item, nn.Module):
        if item.training:
            yield from ((f"{name}.{n}", p) for n, p in item.named_parameters())
    elif depth and isinstance(item, Mapping):
        for key, value in item.items():
            yield from _tensors(value, f"{name}.{key}", depth - 1)
    elif depth and isinstance(item, (list, tuple, set)):
        for key, value in enumerate(item):
            yield from _tensors(value, f"{name}.{key}", depth - 1)
    elif depth and isinstance(item, functools.partial):
        yield from _tensors([*item.args, *item.keywords.values()], name, depth - 1)
    elif depth and hasattr(item, "__dict__") and not isinstance(item, type) and not callable(item):
        if type(item).__module__.partition(".")[0] not in {
            "torch",
            "pytorch_lightning",
            "lightning",
        }:
            for key, value in list(vars(item).items()):
                yield from _tensors(value, f"{name}.{key}", depth - 1)


def _leaves(tensor: Tensor) -> Iterator[Tensor]:
    """Yield a tensor itself if it is a leaf, else the leaves it was made from."""
    if not tensor.requires_grad:
        return
    if tensor.grad_fn is None:
        yield tensor
        return
    stack, seen = [tensor.grad_fn], set()
    while stack and len(seen) < 1000:
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
