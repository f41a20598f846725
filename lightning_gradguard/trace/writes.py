# SPDX-License-Identifier: Apache-2.0
"""Writes in place: which tensors a call changed, and what else sees the new data."""

from typing import Any

from torch import Tensor

from lightning_gradguard.trace.book import Book
from lightning_gradguard.trace.functions import IN_PLACE_DUNDERS, OVERWRITES, REBINDS
from lightning_gradguard.trace.model import (
    FED,
    FREE,
    FUNCTION,
    HARD,
    Call,
    KindValue,
    Value,
    version_of,
)
from lightning_gradguard.usual import STEPS

__all__ = ["mark_of", "rescaled", "write", "written"]


def written(  # noqa: PLR0913, PLR0917 - the same
    call: Call,
    tensors: list[Tensor],
    versions: list[int],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    results: list[Tensor],
) -> list[Tensor]:
    """Return the input tensors that the call changed in place."""
    name = call.name
    if name in REBINDS and tensors:
        return tensors[:1]
    if name in IN_PLACE_DUNDERS and args and isinstance(args[0], Tensor):
        return [args[0]]
    out = kwargs.get("out")
    if isinstance(out, Tensor):
        return [out]
    ids = {id(t) for t in results}
    changed = [
        t
        for t, version in zip(tensors, versions, strict=True)
        if id(t) in ids and version >= 0 and t._version != version  # noqa: SLF001
    ]
    if changed or not (name.endswith("_") and tensors):
        return changed[:1]
    moved = versions[0] >= 0 and tensors[0]._version != versions[0]  # noqa: SLF001
    return tensors[:1] if moved else []


def rescaled(
    book: Book, tensors: list[Tensor], versions: list[int], changed: list[Tensor]
) -> list[Tensor]:
    """Return parameters that a call rewrote on the way, as an embedding does with `max_norm`."""
    known = {id(t) for t in changed}
    return [
        t
        for t, version in zip(tensors, versions, strict=True)
        if id(t) in book.param_ids and id(t) not in known and version_of(t) != version >= 0
    ]


def write(book: Book, call: Call, tensor: Tensor) -> None:
    """Give a written tensor, and every tensor that shares its storage, a new version."""
    if id(tensor) in book.param_ids:
        _write_param(book, call, tensor)
        return
    own, base = book.known(tensor), _base(tensor)
    whole = book.known(base) if base is not None else None
    added = tuple(v for v in call.inputs if v is not own)
    if whole is not None:  # autograd links a written view to its base, past the view's own node
        call.inputs, call.live = (*call.inputs, whole), (*call.live, whole.rg)
    before = tuple(v for v in (whole or own,) if v is not None)
    fresh = call.name in OVERWRITES or call.name == "data=" or _fills(call)
    made = _rebind(book, call, tensor, added if fresh else (*before, *added))
    unrecorded = call.off is not None and call.off.how != FUNCTION
    if unrecorded and tensor.requires_grad and not fresh:
        made.kind = "shared"  # only what was there before still has its gradient
    if call.name not in REBINDS:
        kept = () if fresh and whole is None else before
        _write_sharers(book, call, tensor, (*kept, *added), added)


def _write_sharers(
    book: Book, call: Call, tensor: Tensor, sources: tuple[Value, ...], added: tuple[Value, ...]
) -> None:
    """Give the tensors that share the storage of a written one a new version."""
    base = _base(tensor)
    for other, old in book.sharers(tensor):
        if id(other) in book.param_ids:
            continue
        if base is other or _base(other) is (tensor if base is None else base):
            _rebind(book, call, other, sources)
        else:  # through a detached alias data flows, and no gradient
            call.inputs, call.live = (*call.inputs, old), (*call.live, old.rg)
            value = _rebind(book, call, other, (old, *added))
            value.kind = "shared" if other.requires_grad else "op"


def _write_param(book: Book, call: Call, tensor: Tensor) -> None:
    """Let data flow into a parameter; it stays the leaf that it is."""
    value = book.value(tensor)
    others = [v for v in call.inputs if v is not value]
    value.parents = tuple(dict.fromkeys((*value.parents, *others)))
    call.outputs += (value,)


def _rebind(book: Book, call: Call, tensor: Tensor, sources: tuple[Value, ...]) -> KindValue:
    value = KindValue(tensor, "op", call=call)
    value.parents = tuple(dict.fromkeys(sources))
    value.mark = mark_of(call, value)
    value.index = len(call.outputs)
    call.outputs += (value,)
    book.bind(tensor, value)
    return value


def _fills(call: Call) -> bool:
    """Say whether a call is `x[:] = y`."""
    return call.name == "__setitem__" and call.constants[1:2] == (slice(None),)


def _base(tensor: Tensor) -> Tensor | None:
    """Return the tensor that a differentiable view was taken of."""
    return tensor._base if tensor._is_view() else None  # noqa: SLF001


def mark_of(call: Call, value: Value) -> int:
    """Say whether data of a parameter is in a value, and whether a hard decision lies before it."""
    mark = max((v.mark for v in value.parents), default=FREE)
    smooth = value.dtype.is_floating_point or value.dtype.is_complex
    if mark == FED and (call.name in STEPS or not smooth):
        return HARD
    return mark
