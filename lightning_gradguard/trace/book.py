# SPDX-License-Identifier: Apache-2.0
"""Know tensors by identity: which recorded value a tensor holds now, and what shares its memory.

Tensors are held by weak references only.
"""

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch._C import _functorch
from torch.autograd.graph import Node

from lightning_gradguard.source import capture
from lightning_gradguard.trace.model import (
    FREE,
    FullCall,
    KindValue,
    Trace,
    Value,
    is_materialised,
    is_wrapped,
    sequence_number,
)
from lightning_gradguard.trace.places import Places

__all__ = ["Book", "storage_of"]

_SHEDDING = frozenset({"data", "detach"})
_NEAR = 1000  # calls between a `.data` and the first sight of what was made of it


class Book:
    """Which tensor holds which value.

    Args:
        trace: takes up parameters as they are met, and the calls that nobody saw.
        places: where such calls are taken to have happened.
        params: name -> parameter of the module.
        buffers: name -> buffer.
        batch: name -> tensor of the batch.
    """

    def __init__(
        self,
        trace: Trace,
        places: Places,
        params: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        batch: Mapping[str, Tensor],
    ) -> None:
        self.trace = trace
        self.places = places
        self.live: dict[int, Value] = {}  # by id; the tensor may be gone, and its id in use again
        self.param_ids = {id(p): name for name, p in params.items()}
        self.exported: dict[int, tuple[weakref.ref[Any], Value]] = {}
        self._params = dict(params)
        self._owners: dict[int, Tensor] | None = None
        self._buffer_ids = {id(b): name for name, b in buffers.items()}
        self._batch_ids = {id(t): (weakref.ref(t), name) for name, t in batch.items()}
        # By storage: what the one tensor in it holds, or all of them by id; they may be gone. Asked
        # for the few tensors of unknown origin only, and filed then.
        self._stores: dict[int, Value | dict[int, Value]] = {}
        self._unfiled: list[Value] = []
        self._by_seq: dict[int, Value] = {}
        self._filed = 0  # calls whose results are in `_by_seq`

    def forget(self) -> None:
        """Let go of everything."""
        self.live.clear()
        self._stores.clear()
        self._unfiled.clear()
        self._params, self._owners = {}, None
        self._by_seq.clear()
        self.exported.clear()

    def outliving(self) -> list[Value]:
        """Return the values of the step whose tensors somebody still holds with their graph."""
        held = ((value.ref(), value) for value in self.live.values())
        return [v for t, v in held if t is not None and t.grad_fn is not None and v.kind == "op"]

    def value(self, tensor: Tensor) -> Value:
        """Return the current value of a tensor, meeting it if it is new."""
        value = self.live.get(id(tensor))
        if value is None or value.ref() is not tensor:
            return self._meet(tensor)
        if tensor.requires_grad and not value.rg and _inside(tensor) is None:
            # A custom Function or an unseen call gave the tensor its history after it was made.
            value.rg = True
            value.seq = sequence_number(tensor)
            self._by_seq[value.seq] = value
        return value

    def known(self, tensor: Tensor) -> Value | None:
        """Return the value of a tensor that has been met, else `None`."""
        value = self.live.get(id(tensor))
        return value if value is not None and value.ref() is tensor else None

    def _meet(self, tensor: Tensor) -> Value:
        """Make the value of a tensor that no recorded call has made."""
        key = id(tensor)
        batch = self._batch_ids.get(key)
        if key in self.param_ids:
            value: Value = KindValue(tensor, "param", self.param_ids[key])
            self.trace.params[value.name] = value
        elif key in self._buffer_ids:
            value = KindValue(tensor, "buffer", self._buffer_ids[key])
        elif batch is not None and batch[0]() is tensor:
            value = KindValue(tensor, "batch", batch[1])
            self.trace.keep(value, tensor)
        else:
            value = self._bridge(tensor)
        self.bind(tensor, value)
        return value

    def _bridge(self, tensor: Tensor) -> Value:
        """Tie a tensor of unknown origin to known values, by its graph or by its storage."""
        inner = _inside(tensor)
        if inner is not None:
            return self.value(inner)
        if tensor.grad_fn is not None:
            value = KindValue(tensor, "op")
            value.parents = tuple(self._below(tensor.grad_fn))
            value.mark = max((v.mark for v in value.parents), default=FREE)
            name = tensor.grad_fn.name()
            call = FullCall(len(self.trace.calls), None, name, capture(6), self.places.modules[-1])
            call.inputs, call.live = value.parents, tuple(v.rg for v in value.parents)
            call.first_seq, call.last_seq = value.seq, value.seq + 1
            call.outputs, value.call = (value,), call
            self.trace.calls.append(call)
            return value
        origin = self._alias(tensor)
        if origin is None:
            return KindValue(tensor, "leaf" if tensor.requires_grad else "unknown")
        value = KindValue(tensor, "alias")
        value.parents = (origin,)
        value.mark = origin.mark
        kind = "alias" if tensor.requires_grad else "data"
        kind = "Parameter" if isinstance(tensor, torch.nn.Parameter) else kind
        call = FullCall(len(self.trace.calls), None, kind, capture(6), self.places.modules[-1])
        call.inputs, call.live = (origin,), (origin.rg,)
        call.outputs, value.call = (value,), call
        self.trace.calls.append(call)
        return value

    def _below(self, node: Node) -> Iterator[Value]:
        """Yield the known values that an unseen piece of graph was built on."""
        stack = [n for n, _ in node.next_functions if n is not None]
        seen: set[Node] = set()
        by_seq = self._results()
        while stack and len(seen) < 10_000:  # noqa: PLR2004 - a bound against endless graphs
            current = stack.pop()
            if current in seen:
                continue
            seen.add(current)
            variable = getattr(current, "variable", None)
            if variable is not None:
                yield self.value(variable)
                continue
            known = by_seq.get(current._sequence_nr())  # noqa: SLF001
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
        ghost = self._ghost(storage_of(tensor))
        if tensor.requires_grad:
            # A leaf that requires grad was wrapped around a tensor that may be gone by now.
            whole = [v for v in sharers if v.kind != "alias"]  # no wrapper of the same tensor
            return next(iter(whole or sharers), ghost)
        known = {*sharers, ghost} if ghost is not None else set(sharers)
        shed = self._shed(known) if known else None
        # Nothing else is taken from the dead: their memory is used again.
        return shed or (sharers[0] if sharers else None)

    def _sharers(self, tensor: Tensor) -> Iterator[Value]:
        """Yield the values that share the storage of a tensor, the newest first."""
        store = storage_of(tensor)
        for value in reversed(self._members(store)):
            if value.ref() is not None and value.ref() is not tensor:
                yield value
        owner = self._param_stores().get(store)
        if owner is not None and owner is not tensor:
            yield self.value(owner)

    def _ghost(self, store: int) -> Value | None:
        """Return the last value in a storage of which all tensors are gone."""
        members = self._members(store)
        return None if any(v.ref() is not None for v in members) else next(reversed(members), None)

    def _shed(self, known: set[Value]) -> Value | None:
        """Return what was last made of some values by `.data` or `.detach()` and never read since.

        A call that nobody saw must have taken it, as in `Variable(x.data)`.
        """
        read: set[Value] = set()
        for call in self.trace.calls[: -_NEAR - 1 : -1]:
            if call.name in _SHEDDING and not known.isdisjoint((*call.inputs[:1], *call.outputs)):
                idle = [v for v in call.outputs if v not in read and self._is_gone(v)]
                if idle:
                    return idle[0]
            read.update(call.inputs)
        return None

    def _is_gone(self, value: Value) -> bool:
        return self.live.get(value.tensor_id) is not value or value.ref() is None

    def _param_stores(self) -> dict[int, Tensor]:
        """Return storage -> parameter, made once and only if an unknown tensor turns up."""
        if self._owners is None:
            self._owners = {storage_of(p): p for p in self._params.values() if is_materialised(p)}
            self._owners.pop(0, None)
        return self._owners

    def bind(self, tensor: Tensor, value: Value) -> None:
        """Let a tensor hold a value from now on."""
        key = value.tensor_id = id(tensor)
        self.live[key] = value
        value.ref = _ref(tensor)
        try:
            address, offset = tensor.data_ptr(), tensor.storage_offset()
        except (RuntimeError, NotImplementedError, ValueError):
            address, offset = 0, 0
        if address and not offset:  # nearly always
            store = value.store = address
        else:
            store = value.store = storage_of(tensor)
        if store:
            self._unfiled.append(value)
        else:
            self._bind_inside(tensor, value)

    def _bind_inside(self, tensor: Tensor, value: Value) -> None:
        """Let what a wrapper of `torch.func` holds have its value: it outlives the wrapper."""
        inner = _inside(tensor)
        if inner is None:
            return
        value.rg = inner.requires_grad
        value.seq = sequence_number(inner) if value.rg else -1
        if self.known(inner) is None:
            self.bind(inner, value)

    def _file(self) -> None:
        """Sort the values since the last time by their storages."""
        for value in self._unfiled:
            held = self._stores.get(value.store)
            alone = isinstance(held, Value) and (held.ref is value.ref or held.ref() is None)
            if held is None or alone:
                self._stores[value.store] = value
            else:
                self._join(held, value)
        self._unfiled.clear()

    def _join(self, held: Value | dict[int, Value], value: Value) -> None:
        """Add a value to those in the same storage."""
        if isinstance(held, Value):
            held = self._stores[value.store] = {held.tensor_id: held}
        key = value.tensor_id
        if key in held and held[key].ref is not value.ref:
            del held[key]  # of a tensor that is gone; the new one comes last
        held[key] = value
        if len(held) & (len(held) - 1) == 0:  # at every doubling, so that the gone do not pile up
            self._stores[value.store] = {k: v for k, v in held.items() if v.ref() is not None}

    def _members(self, store: int) -> list[Value]:
        """Return what a storage has been known to hold, oldest first."""
        self._file()
        held = self._stores.get(store)
        if held is None:
            return []
        return [held] if isinstance(held, Value) else list(held.values())

    def sharers(self, tensor: Tensor) -> list[tuple[Tensor, Value]]:
        """Return the other tensors in the same storage, with their values."""
        members = self._members(storage_of(tensor))
        found = [(value.ref(), value) for value in members]
        return [
            (other, value)
            for other, value in found
            if other is not None and other is not tensor and self.live.get(id(other)) is value
        ]

    def _results(self) -> dict[int, Value]:
        """Return the results of all calls so far by the sequence numbers of their nodes."""
        calls = self.trace.calls
        for call in calls[self._filed :]:
            self._by_seq.update((v.seq, v) for v in call.outputs if v.seq >= 0)
        self._filed = len(calls)
        return self._by_seq


_ref = weakref.ref


def storage_of(tensor: Tensor) -> int:
    """Return the address of a tensor's storage, 0 where it has none."""
    try:
        address = tensor.data_ptr()  # 0 for a tensor without values, whose storage may have some
        if address:
            offset = tensor.storage_offset()
            return int(address - offset * tensor.element_size()) if offset else int(address)
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError, ValueError):
        return 0


def _inside(tensor: Tensor) -> Tensor | None:
    """Return the tensor within the wrappers of `torch.vmap` and `torch.func`, if there are any."""
    inner = tensor
    while is_wrapped(inner):
        inner = _functorch.get_unwrapped(inner)
    return None if inner is tensor else inner
