# SPDX-License-Identifier: Apache-2.0
"""Know tensors by identity: which recorded value a tensor holds now, and what shares its memory.

Tensors are held by weak references only.
"""

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

from lightning_gradguard.source import capture
from lightning_gradguard.trace.model import (
    FREE,
    Call,
    Trace,
    Value,
    is_materialised,
    sequence_number,
)

__all__ = ["Book", "storage_of"]

_SHEDDING = frozenset({"data", "detach"})
_NEAR = 1000  # calls between a `.data` and the first sight of what was made of it


class Book:
    """Which tensor holds which value.

    Args:
        trace: takes up parameters as they are met, and the calls that nobody saw.
        params: name -> parameter of the module.
        buffers: name -> buffer.
        batch: name -> tensor of the batch.
    """

    def __init__(
        self,
        trace: Trace,
        params: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        batch: Mapping[str, Tensor],
    ) -> None:
        self.trace = trace
        self.modules: list[str] = []  # names of the modules that are running
        self.live: dict[int, tuple[weakref.ref[Tensor], Value, int]] = {}
        self.stores: dict[int, dict[int, None]] = {}
        self.param_ids = {id(p): name for name, p in params.items()}
        self.exported: dict[int, tuple[weakref.ref[Any], Value]] = {}
        self._params = dict(params)
        self._owners: dict[int, Tensor] | None = None
        self._buffer_ids = {id(b): name for name, b in buffers.items()}
        self._batch_ids = {id(t): (weakref.ref(t), name) for name, t in batch.items()}
        self._ghosts: dict[int, Value] = {}  # storage -> last value of a tensor that is gone
        self._by_seq: dict[int, Value] = {}
        self._dropped = self._drop

    def outliving(self) -> list[Value]:
        """Return the values of the step whose tensors somebody still holds with their graph."""
        held = ((ref(), value) for ref, value, _ in self.live.values())
        return [v for t, v in held if t is not None and t.grad_fn is not None and v.kind == "op"]

    def forget(self) -> None:
        """Let go of everything."""
        self.live.clear()
        self.stores.clear()
        self._ghosts.clear()
        self._params, self._owners = {}, None
        self._by_seq.clear()
        self.exported.clear()

    def module(self) -> str:
        """Return the name of the innermost module that is running."""
        return self.modules[-1] if self.modules else ""

    def value(self, tensor: Tensor) -> Value:
        """Return the current value of a tensor, meeting it if it is new."""
        entry = self.live.get(id(tensor))
        if entry is None or entry[0]() is not tensor:
            return self._meet(tensor)
        value = entry[1]
        if tensor.requires_grad and not value.rg:
            # A custom Function or an unseen call gave the tensor its history after it was made.
            value.rg = True
            value.seq = sequence_number(tensor)
            self._by_seq[value.seq] = value
        return value

    def known(self, tensor: Tensor) -> Value | None:
        """Return the value of a tensor that has been met, else `None`."""
        entry = self.live.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def _meet(self, tensor: Tensor) -> Value:
        """Make the value of a tensor that no recorded call has made."""
        key = id(tensor)
        batch = self._batch_ids.get(key)
        if key in self.param_ids:
            value = Value(tensor, "param", self.param_ids[key])
            self.trace.params[value.name] = value
        elif key in self._buffer_ids:
            value = Value(tensor, "buffer", self._buffer_ids[key])
        elif batch is not None and batch[0]() is tensor:
            value = Value(tensor, "batch", batch[1])
            self.trace.keep(value, tensor)
        else:
            value = self._bridge(tensor)
        self.bind(tensor, value)
        return value

    def _bridge(self, tensor: Tensor) -> Value:
        """Tie a tensor of unknown origin to known values, by its graph or by its storage."""
        if tensor.grad_fn is not None:
            value = Value(tensor, "op")
            value.parents = tuple(self._below(tensor.grad_fn))
            value.mark = max((v.mark for v in value.parents), default=FREE)
            name = tensor.grad_fn.name()
            call = Call(len(self.trace.calls), None, name, capture(6), self.module())
            call.inputs, call.live = value.parents, tuple(v.rg for v in value.parents)
            call.first_seq, call.last_seq = value.seq, value.seq + 1
            call.outputs, value.call = [value], call
            self.trace.calls.append(call)
            return value
        origin = self._alias(tensor)
        if origin is None:
            return Value(tensor, "leaf" if tensor.requires_grad else "unknown")
        value = Value(tensor, "alias")
        value.parents = (origin,)
        value.mark = origin.mark
        kind = "alias" if tensor.requires_grad else "data"
        kind = "Parameter" if isinstance(tensor, torch.nn.Parameter) else kind
        call = Call(len(self.trace.calls), None, kind, capture(6), self.module())
        call.inputs, call.live = (origin,), (origin.rg,)
        call.outputs, value.call = [value], call
        self.trace.calls.append(call)
        return value

    def _below(self, node: Node) -> Iterator[Value]:
        """Yield the known values that an unseen piece of graph was built on."""
        stack = [n for n, _ in node.next_functions if n is not None]
        seen: set[Node] = set()
        while stack and len(seen) < 10_000:  # noqa: PLR2004 - a bound against endless graphs
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            variable = getattr(current, "variable", None)
            if variable is not None:
                yield self.value(variable)
                continue
            known = self._by_seq.get(current._sequence_nr())  # noqa: SLF001
            if known is not None:
                yield known
            else:
                stack.extend(n for n, _ in current.next_functions if n is not None)

    def _alias(self, tensor: Tensor) -> Value | None:
        """Return the newest value that shares the storage of a tensor."""
        array, value = self.exported.get(storage_of(tensor), (None, None))
        if array is not None and array() is not None:  # a tensor made of it keeps the array alive
            return value
        sharers = list(self._sharers(tensor))
        ghost = self._ghosts.get(storage_of(tensor))
        if tensor.requires_grad:
            # A leaf that requires grad was wrapped around a tensor that may be gone by now.
            return sharers[0] if sharers else ghost
        known = {*sharers, ghost} if ghost is not None else set(sharers)
        shed = self._shed(known) if known else None
        # Nothing else is taken from the dead: their memory is used again.
        return shed or (sharers[0] if sharers else None)

    def _sharers(self, tensor: Tensor) -> Iterator[Value]:
        """Yield the values that share the storage of a tensor, the newest first."""
        store = storage_of(tensor)
        for key in reversed(self.stores.get(store, {})):
            entry = self.live.get(key)
            if entry is not None and entry[0]() is not None and entry[0]() is not tensor:
                yield entry[1]
        owner = self._param_stores().get(store)
        if owner is not None and owner is not tensor:
            yield self.value(owner)

    def _shed(self, known: set[Value]) -> Value | None:
        """Return what was last made of some values by `.data` or `.detach()` and never read since.

        A call that nobody saw must have taken it, as in `Variable(x.data)`.
        """
        read: set[Value] = set()
        for call in self.trace.calls[: -_NEAR - 1 : -1]:
            if call.name in _SHEDDING and not known.isdisjoint(call.inputs[:1]):
                idle = [v for v in call.outputs if v not in read and self._is_gone(v)]
                if idle:
                    return idle[0]
            read.update(call.inputs)
        return None

    def _is_gone(self, value: Value) -> bool:
        entry = self.live.get(value.tensor_id)
        return entry is None or entry[1] is not value

    def _param_stores(self) -> dict[int, Tensor]:
        """Return storage -> parameter, made once and only if an unknown tensor turns up."""
        if self._owners is None:
            self._owners = {storage_of(p): p for p in self._params.values() if is_materialised(p)}
            self._owners.pop(0, None)
        return self._owners

    def bind(self, tensor: Tensor, value: Value) -> None:
        """Let a tensor hold a value from now on."""
        key, store = id(tensor), storage_of(tensor)
        ref = _Ref(tensor, self._dropped)
        ref.key = key
        self.live[key] = (ref, value, store)
        if store:
            members = self.stores.get(store)
            if members is None:
                self.stores[store] = {key: None}
            else:
                members[key] = None
            if self._ghosts:
                self._ghosts.pop(store, None)
        if value.seq >= 0:
            self._by_seq[value.seq] = value

    def _drop(self, ref: "_Ref") -> None:
        entry = self.live.get(ref.key)
        if entry is None or entry[0] is not ref:
            return
        key = ref.key
        del self.live[key]
        if entry[2]:
            members = self.stores.get(entry[2])
            if members is not None:
                members.pop(key, None)
                if not members:
                    del self.stores[entry[2]]
                    self._ghosts[entry[2]] = entry[1]


class _Ref(weakref.ref[Tensor]):
    """A weak reference that knows whose place is free when its tensor is gone."""

    __slots__ = ("key",)
    key: int


def storage_of(tensor: Tensor) -> int:
    """Return the address of a tensor's storage, 0 where it has none."""
    try:
        address = tensor.data_ptr()  # 0 for a tensor without values, whose storage may have some
        if address:
            return int(address - tensor.storage_offset() * tensor.element_size())
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError, ValueError):
        return 0
