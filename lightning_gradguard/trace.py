# SPDX-License-Identifier: Apache-2.0
"""Record one training step: which operation made which value, and where gradients can flow.

A `TorchFunctionMode` sees every public torch call. From it a data-flow graph is built that includes
the edges along which no gradient flows. Tensors are known by identity through weak references; a
recorded value keeps shape, dtype and a sequence number, never a tensor, a graph node or a frame.
"""

import gc
import math
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import get_ident
from types import FrameType
from typing import Any, Self

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch.autograd.graph import Node
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from lightning_gradguard import ops
from lightning_gradguard.source import Stack, caller_in, capture, sites_above
from lightning_gradguard.usual import (
    DIFFERENTIABLE,
    FIRST_ONLY,
    STEPS,
    Slot,
    Usual,
    pack,
    usual_functions,
)

__all__ = [
    "Call", "LossView", "Off", "Recorder", "Slot", "Trace", "Value", "public_name", "unseen",
    "walk",
]  # fmt: skip

# Attribute reads and bookkeeping that move no data; everything else is recorded.
_IGNORED_METHODS = (
    "size", "dim", "ndimension", "numel", "nelement", "element_size", "stride", "storage_offset",
    "is_contiguous", "is_floating_point", "is_complex", "get_device", "data_ptr", "untyped_storage",
    "storage", "is_shared", "is_pinned", "is_same_size", "is_set_to", "is_inference", "__len__",
    "__repr__", "__hash__", "register_post_accumulate_grad_hook", "retain_grad",
    "is_signed", "is_conj", "is_neg", "dim_order", "has_names", "_is_view", "__dir__",
    "__reduce_ex__", "_typed_storage", "share_memory_", "__dlpack__", "__dlpack_device__",
    "is_coalesced",
)  # fmt: skip
_DATA_GETTERS = frozenset({"data", "T", "mT", "H", "mH", "real", "imag"})
# In-place calls whose result does not depend on what was there before.
_OVERWRITES = frozenset({
    "zero_", "fill_", "copy_", "normal_", "uniform_", "random_", "bernoulli_", "exponential_",
    "geometric_", "cauchy_", "log_normal_", "set_",
})  # fmt: skip
# Calls that change what a tensor is without counting as a write.
_REBINDS = frozenset({"requires_grad=", "requires_grad_", "detach_", "data=", "set_"})
_IN_PLACE_DUNDERS = frozenset({
    "__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__",
    "__ipow__", "__iand__", "__ior__", "__ixor__",
})  # fmt: skip
_EXITS = frozenset({
    "item", "tolist", "numpy", "__array__", "__float__", "__int__", "__bool__", "__index__",
    "__complex__", "__format__", "is_nonzero", "equal", "allclose", "__contains__",
})  # fmt: skip
_SHARING = frozenset({"numpy", "__array__"})  # the array shares the memory of the tensor
_CONSTANTS = (int, float, bool, str, type(None), complex, torch.dtype, slice)
_PARTS = (*_CONSTANTS, torch.device, torch.layout, torch.memory_format)
_OPAQUE_BASE: type[Any] = torch.autograd.function.BackwardCFunction
FUNCTION = "torch.autograd.Function"
DEFAULT_CALL_LIMIT = 200_000
FREE, FED, HARD = 0, 1, 2
_RARE = 1000
_FEW = 3  # parents of a value that was selected or reshaped
_KEPT_BYTES, _KEPT_TOTAL = 1 << 21, 1 << 23


class Value:
    """One version of one tensor.

    Attributes:
        kind: `param`, `buffer`, `batch`, `leaf`, `op`, `alias`, `unknown`, or `shared` where only
            data was written, through an alias without a history.
        name: parameter, buffer or batch name, else `""`.
        call: the call that made it, if any.
        parents: the values it was made from.
        rg: whether it requires grad, as last seen.
        seq: sequence number of its autograd node, -1 without one.
        index: position among the outputs of its call.
        mark: whether data of a parameter flows in (`FED`), and through a hard decision (`HARD`).
    """

    # Defaults of the class cost nothing in the thousands of instances that leave them as they are.
    kind = "op"
    name = ""
    call: "Call | None" = None
    index = 0
    mark = FREE
    parents: "tuple[Value, ...]" = ()
    tensor_id: int
    shape: tuple[int, ...]
    dtype: torch.dtype
    rg: bool
    seq: int

    def __init__(
        self, tensor: Tensor, kind: str, name: str = "", call: "Call | None" = None
    ) -> None:
        self.kind, self.name, self.call = kind, name, call
        if kind == "param":
            self.mark = FED
        self.tensor_id = id(tensor)
        self.shape = tuple(tensor.shape) if kind != "param" or _is_materialised(tensor) else ()
        self.dtype = tensor.dtype
        self.rg = tensor.requires_grad
        self.seq = sequence_number(tensor) if self.rg else -1

    def describe(self) -> str:
        """Return dtype and shape, as in `float32[32, 10]`."""
        return f"{str(self.dtype).removeprefix('torch.')}[{', '.join(map(str, self.shape))}]"


class Off:
    """Why no gradient was recorded: `how` is a public name, `stack` where it was switched off."""

    __slots__ = ("decorated", "how", "stack")

    def __init__(self, how: str, stack: Stack, decorated: Any = None) -> None:  # noqa: ANN401
        self.how, self.stack, self.decorated = how, stack, decorated


class Call:
    """One recorded call."""

    inputs: tuple[Value, ...] = ()
    live: tuple[bool, ...] = ()
    off: Off | None = None
    exit_value: Any = None
    library = ""
    structure = False
    first_seq = last_seq = -1
    recipe: tuple[tuple[Any, ...], dict[str, Any]] | None = None
    given: tuple[tuple[Any, ...] | None, dict[str, Any] | None] = ((), {})

    def __init__(self, index: int, func: Any, name: str, stack: Stack, module: str) -> None:  # noqa: ANN401
        self.index, self.func, self.name, self.stack, self.module = index, func, name, stack, module
        self.outputs: list[Value] = []

    @property
    def constants(self) -> tuple[Any, ...]:
        """Return the positional arguments; what is no small constant is `...`."""
        args = self.given[0]
        if args is None:
            args = tuple([_constant(a) for a in self.recipe[0]]) if self.recipe else ()
            self.given = (args, self.given[1])
        return args

    @property
    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments in the same way."""
        kwargs = self.given[1]
        if kwargs is None:
            found = self.recipe[1] if self.recipe else {}
            kwargs = {k: _constant(v) for k, v in found.items()}
            self.given = (self.given[0], kwargs)
        return kwargs

    @property
    def is_exit(self) -> bool:
        """Say whether the call hands values out of torch."""
        return self.name in _EXITS

    @property
    def public(self) -> str:
        """Return the public name, as in `torch.Tensor.argmax`."""
        return public_name(self.func, self.name)


class LossView:
    """What the autograd graph below one loss reaches, taken just before its backward pass."""

    __slots__ = (
        "children", "leaf_refs", "leaves", "names", "opaque", "params", "requires_grad", "seqs",
        "stack", "underived", "value",
    )  # fmt: skip

    def __init__(self) -> None:
        self.value: Value | None = None
        self.requires_grad = False
        self.seqs: dict[int, int] = {}  # sequence number -> node index
        self.names: list[str] = []
        self.children: list[tuple[int, ...]] = []
        self.params: dict[str, int] = {}  # reached parameter -> node index
        self.leaves: dict[int, int] = {}  # id of another leaf tensor -> node index
        self.leaf_refs: dict[int, weakref.ref[Tensor]] = {}
        self.opaque: tuple[str, ...] = ()  # custom Functions, behind which the walk may be blind
        self.underived: tuple[int, ...] = ()  # sequence numbers of nodes without a derivative
        self.stack: Stack = ()


class Trace:
    """The record of one step: `calls` in order, `losses` in the order of their backward passes."""

    def __init__(self, step: int = 0) -> None:
        self.step = step
        self.calls: list[Call] = []
        self.params: dict[str, Value] = {}
        self.losses: list[LossView] = []
        self.elsewhere: set[str] = set()  # modules that ran in other threads, out of sight
        self.scalars: dict[Value, Tensor] = {}  # single numbers of the running step, for shares
        self.seen = 0
        self.seconds = 0.0
        self.truncated = False
        self.fault: BaseException | None = None
        self.kept: dict[Value, tuple[Tensor, int]] = {}
        self.kept_bytes = 0
        self.names_metrics = True
        self.domains: dict[Value, str] = {}
        self.made_by: dict[Value, tuple[str, int, int]] = {}  # module, number of its call, place
        self.recognised: dict[Any, Any] = {}  # answers that the held tensors gave

    def keep(self, value: Value, tensor: Tensor) -> None:
        """Hold a small tensor of a cut chain until the backward pass of its loss begins."""
        if tensor.layout is not torch.strided or value in self.kept:
            return
        size = tensor.numel() * tensor.element_size()
        if size > _KEPT_BYTES or self.kept_bytes + size > _KEPT_TOTAL:
            return
        self.kept_bytes += size
        self.kept[value] = (tensor.detach(), version_of(tensor))

    def tensor_of(self, value: Value) -> Tensor | None:
        """Return the tensor of a value, if it is held and has not been written since."""
        entry = self.kept.get(value)
        return entry[0] if entry is not None and version_of(entry[0]) == entry[1] else None

    def drop(self) -> None:
        """Let go of every tensor; of targets beside decisions with a graph, the domain is noted."""
        if any(v.mark == HARD and v.rg for v in self.kept):
            targets = {v: t for v, (t, _) in self.kept.items() if v.mark == FREE and t.numel()}
            self.domains.update({v: domain_of(t) for v, t in targets.items()})
        self.kept.clear()
        self.kept_bytes = 0
        self.scalars.clear()

    def call_of(self, seq: int) -> Call | None:
        """Return the call that made the autograd node with this sequence number."""
        lo, hi = 0, len(self._ranges())
        ranges = self._ranges()
        while lo < hi:
            mid = (lo + hi) // 2
            first, last, _ = ranges[mid]
            if seq < first:
                hi = mid
            elif seq >= last:
                lo = mid + 1
            else:
                return ranges[mid][2]
        return None

    def function_call(self, seq: int) -> Call | None:
        """Return the first call inside the custom Function whose node has this sequence number."""
        later = [c for c in self.calls if c.off is not None and c.first_seq > seq]
        inside = [c for c in later if c.off is not None and c.off.how == FUNCTION]
        first = min(inside, key=lambda c: (c.first_seq, c.index), default=None)
        return first if first is not None and first.first_seq == seq + 1 else None

    def uses(self) -> dict[Value, list[Call]]:
        """Return value -> the calls that read it, made once."""
        if not hasattr(self, "_uses"):
            self._uses: dict[Value, list[Call]] = {}
            for call in self.calls:
                for value in dict.fromkeys(call.inputs):
                    self._uses.setdefault(value, []).append(call)
        return self._uses

    def _ranges(self) -> list[tuple[int, int, Call]]:
        """Return the sequence number ranges of the calls that made nodes, sorted."""
        if not hasattr(self, "_cached_ranges"):
            made = [c for c in self.calls if c.last_seq > c.first_seq >= 0]
            found = [(c.first_seq, c.last_seq, c) for c in made]
            self._cached_ranges = sorted(found, key=lambda r: r[0])
        return self._cached_ranges


class Recorder(TorchFunctionMode):
    """The function mode that fills a `Trace`.

    Args:
        params: name -> parameter of the module, as from `named_parameters()`.
        buffers: name -> buffer.
        modules: name -> module, for the names of the places where calls happen.
        batch: name -> tensor of the batch.
        limit: calls after which recording stops.
        on_loss: called with the tensor on which `backward()` is called directly.
        check_values: also record which calls made the first non-finite values.

    Cost: 3 to 8 us a torch call, no device work unless `check_values` is set.
    """

    def __init__(  # noqa: PLR0913 - what a step consists of
        self,
        params: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor] | None = None,
        modules: Mapping[str, torch.nn.Module] | None = None,
        batch: Mapping[str, Tensor] | None = None,
        *,
        step: int = 0,
        limit: int = DEFAULT_CALL_LIMIT,
        on_loss: Callable[[Tensor], None] | None = None,
        check_values: bool = False,
    ) -> None:
        super().__init__()
        self.trace = Trace(step)
        self._params = dict(params)
        self._owners: dict[int, Tensor] | None = None
        self._param_ids = {id(p): name for name, p in params.items()}
        self._buffer_ids = {id(b): name for name, b in (buffers or {}).items()}
        self._batch_ids = {id(t): (weakref.ref(t), name) for name, t in (batch or {}).items()}
        modules = modules or {}
        self._compiled = any(type(m).__name__ == "OptimizedModule" for m in modules.values())
        self._module_names = {id(m): name for name, m in modules.items()}
        self._live: dict[int, tuple[weakref.ref[Tensor], Value, int]] = {}
        self._stores: dict[int, dict[int, None]] = {}
        self._ghosts: dict[int, Value] = {}  # storage -> last value of a tensor that is gone
        self._by_seq: dict[int, Value] = {}
        self._exported: dict[int, tuple[weakref.ref[Any], Value]] = {}
        self._modules: list[str] = []
        self._turns: dict[str, int] = {}
        self._thread = get_ident()
        self._hooks: list[Any] = []
        self._off: Off | None = None
        self._limit = limit
        self._on_loss = on_loss
        self._check_values = check_values
        self.nonfinite: list[tuple[Call, str]] = []
        self._dropped = self._drop
        self._unusual = check_values

    # -- entering and leaving

    def __enter__(self) -> Self:
        """Start recording; module names come from global hooks, no module is touched."""
        hooks = torch.nn.modules.module
        if not self._compiled:  # a compiled module warns when it meets global hooks
            self._hooks = [
                hooks.register_module_forward_pre_hook(self._enter_module),
                hooks.register_module_forward_hook(self._leave_module, always_call=True),
            ]
        self._depth = torch._C._len_torch_function_stack()  # noqa: SLF001
        self._unusual = self._check_values or self._depth > 0
        self._thresholds = gc.get_threshold()
        # A full collection in the midst of thousands of new objects would find nothing.
        gc.set_threshold(*self._thresholds[:2], _RARE * self._thresholds[2])
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop recording and forget every tensor."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        if gc.get_threshold() == (*self._thresholds[:2], _RARE * self._thresholds[2]):
            gc.set_threshold(*self._thresholds)
        _take_out(self, self._depth)

    def forget(self) -> None:
        """Drop what was needed only while the step ran."""
        self._live.clear()
        self._stores.clear()
        self._ghosts.clear()
        self._params, self._owners = {}, None
        self._by_seq.clear()
        self._exported.clear()
        self.trace.drop()
        self._on_loss = None

    def _enter_module(self, module: torch.nn.Module, _args: object) -> None:
        name = self._module_names.get(id(module), "")
        if get_ident() == self._thread:
            self._modules.append(name)
        else:
            self.trace.elsewhere.add(name)

    def _leave_module(self, module: torch.nn.Module, _args: object, output: object) -> None:
        if self._modules and get_ident() == self._thread:
            self._modules.pop()
            name = self._module_names.get(id(module))
            if name is not None:
                self._note_outputs(name, output)

    def _note_outputs(self, name: str, output: object) -> None:
        """Remember which values a named module has handed out, and at which of its calls."""
        turn = self._turns.get(name, 0)
        self._turns[name] = turn + 1
        tensors: list[Tensor] = []
        _collect((output,), tensors)
        for place, tensor in enumerate(tensors):
            entry = self._live.get(id(tensor))
            if entry is not None and entry[0]() is tensor:
                self.trace.made_by[entry[1]] = (name, turn, place)

    # -- the mode

    def __torch_function__(
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Record one call and return what it returns."""
        kwargs = kwargs or {}
        if func in _IGNORED or self.trace.fault is not None or self.trace.truncated:
            return func(*args, **kwargs)
        usual = _USUAL.get(func)
        if usual is not None and not self._unusual and not _dispatch_modes():
            return self._record_usual(usual, func, args, kwargs)
        name = func.__name__
        if name in {"__get__", "__set__"}:
            name = func.__self__.__name__ + ("=" if name == "__set__" else "")
            if name not in _DATA_GETTERS and name not in {"requires_grad=", "data="}:
                return func(*args, **kwargs)
        elif name == "_set_grad_enabled":
            self._guard(self._switch_grad, args[0])
            return func(*args, **kwargs)
        elif name == "backward" and self._on_loss is not None:
            self._guard(self._on_loss, args[0])
            return func(*args, **kwargs)
        return self._record(func, name, args, kwargs)

    def _record_usual(
        self,
        usual: Usual,
        func: Any,  # noqa: ANN401
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:  # noqa: ANN401
        """Do what `_record` does, faster, for calls that take plain tensors and constants."""
        tensors: list[Tensor] = []
        try:
            given = pack(args, kwargs, tensors)
            call = None if given is None else self._usual_call(usual, func, tensors, given)
            versions = [t._version for t in tensors]  # noqa: SLF001
        except Exception:  # noqa: BLE001 - what is unusual after all takes the longer way
            call = None
        if call is None:
            return self._record(func, usual.name, args, kwargs)
        out = func(*args, **kwargs)
        if type(out) is Tensor and not any([out is t for t in tensors]):  # noqa: C419 - faster
            self._guard_usual(usual, call, tensors, out)
        else:
            self._guard(self._after, call, tensors, versions, args, kwargs, out)
        return out

    def _usual_call(
        self,
        usual: Usual,
        func: Any,  # noqa: ANN401
        tensors: list[Tensor],
        given: tuple[Any, Any],
    ) -> Call | None:
        """Make the record of a call; `None` inside of a metric, whose name takes a longer look."""
        frame = sys._getframe(3)  # noqa: SLF001 - a look, no frame is kept
        if "torchmetrics" in frame.f_code.co_filename:
            return None
        known = self._live
        module = self._modules[-1] if self._modules else ""
        call = Call(0, func, usual.name, sites_above(frame), module)
        values, live = [], []
        for tensor in tensors:
            entry = known.get(id(tensor))
            rg = tensor.requires_grad
            if entry is None or entry[0]() is not tensor or rg is not entry[1].rg:
                values.append(self.value(tensor))
            else:
                values.append(entry[1])
            live.append(rg)
        self.trace.seen += 1
        call.inputs, call.live = tuple(values), tuple(live)
        if not torch.is_grad_enabled():
            call.off = self._why_off()
        call.recipe, call.given = given, _NOT_YET
        call.first_seq = _sequence()
        return call

    def _guard_usual(self, usual: Usual, call: Call, tensors: list[Tensor], out: Tensor) -> None:
        try:
            self._after_usual(usual, call, tensors, out)
        except Exception as fault:  # noqa: BLE001 - by contract nothing of ours may stop a training
            self.trace.fault = fault

    def _after_usual(self, usual: Usual, call: Call, tensors: list[Tensor], out: Tensor) -> None:
        last = call.last_seq = _sequence()
        calls = self.trace.calls
        call.index = len(calls)
        calls.append(call)
        if call.index + 1 >= self._limit:
            self.trace.truncated = True
        value: Value = _new_value(Value)
        value.call, value.tensor_id, value.dtype = call, id(out), out.dtype
        value.shape = tuple(out.shape)
        value.rg = out.requires_grad
        if not value.rg:
            value.seq = -1
        else:  # if only one node was made, it is that of the result
            value.seq = call.first_seq if last == call.first_seq + 1 else sequence_number(out)
        if usual.structure:
            call.structure = True
        else:
            value.parents = call.inputs[:1] if usual.first_only else call.inputs
            mark = FREE
            for parent in value.parents:
                if parent.mark > mark:  # noqa: PLR1730 - faster
                    mark = parent.mark
            if mark:
                hard = mark == FED and (usual.step or value.dtype not in DIFFERENTIABLE)
                value.mark = HARD if hard else mark
        call.outputs.append(value)
        self._bind(out, value)
        if not value.shape or value.mark == HARD or not tensors:
            self._guard(self._keep, call, tensors, [out])

    def _record(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        before = self._guard(self._before, func, name, args, kwargs)
        out = func(*args, **kwargs)
        if before is not None:
            self._guard(self._after, *before, args, kwargs, out)
        return out

    def _guard(self, step: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
        """Run a part of the recorder; its bugs end the recording, never the user's step."""
        try:
            with DisableTorchFunction():  # modes of the user see the user's calls only
                if _dispatch_modes():
                    with _disable_current_modes():
                        return step(*args)
                return step(*args)
        except Exception as fault:  # noqa: BLE001 - by contract nothing of ours may stop a training
            self.trace.fault = fault
            return None

    def _before(
        self,
        func: Any,  # noqa: ANN401
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[Call, list[Tensor], list[int]]:
        trace = self.trace
        tensors: list[Tensor] = []
        _collect(args, tensors)
        if kwargs:
            _collect(kwargs.values(), tensors)
        call = Call(len(trace.calls), func, name, capture(4), self._module())
        trace.seen += 1
        call.inputs = tuple([self.value(t) for t in tensors])
        call.live = tuple([t.requires_grad for t in tensors])
        if not torch.is_grad_enabled():
            call.off = self._why_off()
        constants = tuple([_constant(a) for a in args])
        call.given = (constants, {k: _constant(v) for k, v in kwargs.items()})
        call.recipe = _recipe(args, kwargs, call.inputs)
        caller = _caller()
        if caller is not None and "torchmetrics" in caller.f_code.co_filename:
            call.library = _library_name(caller)
        call.first_seq = _sequence()
        versions = [t._version if not t.is_inference() else -1 for t in tensors]  # noqa: SLF001
        return call, tensors, versions

    def _after(  # noqa: PLR0913, PLR0917 - what is known after a call
        self,
        call: Call,
        tensors: list[Tensor],
        versions: list[int],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        out: Any,  # noqa: ANN401
    ) -> None:
        call.last_seq = _sequence()
        results: list[Tensor] = []
        if isinstance(out, Tensor):
            results.append(out)
        elif isinstance(out, (tuple, list, dict)):
            _collect((out,), results)
        written = self._written(call, tensors, versions, args, kwargs, results)
        noted = call.is_exit or call.name == "register_hook"
        if not written and not results and not noted:
            return
        if call.name in _SHARING and tensors:
            self._exported[_storage(tensors[0])] = (weakref.ref(out), call.inputs[0])
        if call.is_exit and isinstance(out, (bool, int, float, complex)):
            call.exit_value = out
        known = {id(t) for t in tensors}
        fresh = [t for t in results if id(t) not in known]
        if not fresh and not written and not noted:
            return
        call.index = len(self.trace.calls)
        self.trace.calls.append(call)
        self.trace.truncated = len(self.trace.calls) >= self._limit
        for tensor in written:
            self._write(call, tensor)
        for position, tensor in enumerate(fresh):
            self._bind(tensor, self._result(call, tensor, position))
        self._keep(call, tensors, written + fresh)
        if self._check_values:
            self._check(call, tensors, fresh + written)

    def _keep(self, call: Call, tensors: list[Tensor], results: list[Tensor]) -> None:
        """Hold what a recognised metric is checked with: small tensors around hard decisions."""
        for value, tensor in zip(call.outputs, results, strict=False):
            if not value.shape and value.dtype.is_floating_point:
                self.trace.scalars[value] = tensor.detach()
        if call.is_exit or any(v.mark == HARD for v in call.outputs):
            for value, tensor in zip(call.inputs, tensors, strict=False):
                self.trace.keep(value, tensor)
                self._keep_above(value)
        elif call.inputs:
            return
        for value, tensor in zip(call.outputs, results, strict=False):
            if call.inputs or not tensor.shape:
                self.trace.keep(value, tensor)

    def _keep_above(self, value: Value, depth: int = 2) -> None:
        """Hold what a value was selected or reshaped from, as long as it still exists."""
        near = depth and value.mark == FED and len(value.parents) <= _FEW
        for parent in value.parents if near else ():
            entry = self._live.get(parent.tensor_id)
            tensor = entry[0]() if entry is not None and entry[1] is parent else None
            if tensor is not None and parent.kind != "param":
                self.trace.keep(parent, tensor)
                self._keep_above(parent, depth - 1)

    # -- values

    def value(self, tensor: Tensor) -> Value:
        """Return the current value of a tensor, meeting it if it is new."""
        entry = self._live.get(id(tensor))
        if entry is None or entry[0]() is not tensor:
            return self._meet(tensor)
        value = entry[1]
        if tensor.requires_grad and not value.rg:
            # A custom Function or an unseen call gave the tensor its history after it was made.
            value.rg = True
            value.seq = sequence_number(tensor)
            self._by_seq[value.seq] = value
        return value

    def _meet(self, tensor: Tensor) -> Value:
        """Make the value of a tensor that no recorded call has made."""
        key = id(tensor)
        batch = self._batch_ids.get(key)
        if key in self._param_ids:
            value = Value(tensor, "param", self._param_ids[key])
            self.trace.params[value.name] = value
        elif key in self._buffer_ids:
            value = Value(tensor, "buffer", self._buffer_ids[key])
        elif batch is not None and batch[0]() is tensor:
            value = Value(tensor, "batch", batch[1])
            self.trace.keep(value, tensor)
        else:
            value = self._bridge(tensor)
        self._bind(tensor, value)
        return value

    def _bridge(self, tensor: Tensor) -> Value:
        """Tie a tensor of unknown origin to known values, by its graph or by its storage."""
        if tensor.grad_fn is not None:
            value = Value(tensor, "op")
            value.parents = tuple(self._below(tensor.grad_fn))
            value.mark = max((v.mark for v in value.parents), default=FREE)
            name = tensor.grad_fn.name()
            call = Call(len(self.trace.calls), None, name, capture(6), self._module())
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
        call = Call(len(self.trace.calls), None, kind, capture(6), self._module())
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
        array, value = self._exported.get(_storage(tensor), (None, None))
        if array is not None and array() is not None:  # a tensor made of it keeps the array alive
            return value
        store = _storage(tensor)
        for key in reversed(self._stores.get(store, {})):
            entry = self._live.get(key)
            if entry is not None and entry[0]() is not None and entry[0]() is not tensor:
                return entry[1]
        owner = self._param_stores().get(store)
        if owner is not None and owner is not tensor:
            return self.value(owner)
        # A leaf that requires grad was wrapped around a tensor that may be gone by now. Nothing
        # else is taken from the dead: their memory is used again.
        return self._ghosts.get(store) if tensor.requires_grad else None

    def _param_stores(self) -> dict[int, Tensor]:
        """Return storage -> parameter, made once and only if an unknown tensor turns up."""
        if self._owners is None:
            self._owners = {_storage(p): p for p in self._params.values() if _is_materialised(p)}
            self._owners.pop(0, None)
        return self._owners

    def _result(self, call: Call, tensor: Tensor, position: int) -> Value:
        value = Value(tensor, "op", call=call)
        value.index = position
        row = ops.OPS.get(call.name)
        if row is not None and row.kind is ops.Kind.SHAPE:
            call.structure = True
        elif call.name in FIRST_ONLY:
            value.parents = call.inputs[:1]
        else:
            value.parents = call.inputs
        value.mark = _mark(call, value)
        call.outputs.append(value)
        return value

    def _bind(self, tensor: Tensor, value: Value) -> None:
        key, store = id(tensor), _storage(tensor)
        ref = _Ref(tensor, self._dropped)
        ref.key = key
        self._live[key] = (ref, value, store)
        if store:
            members = self._stores.get(store)
            if members is None:
                self._stores[store] = {key: None}
            else:
                members[key] = None
            if self._ghosts:
                self._ghosts.pop(store, None)
        if value.seq >= 0:
            self._by_seq[value.seq] = value

    def _drop(self, ref: "_Ref") -> None:
        entry = self._live.get(ref.key)
        if entry is None or entry[0] is not ref:
            return
        key = ref.key
        del self._live[key]
        if entry[2]:
            members = self._stores.get(entry[2])
            if members is not None:
                members.pop(key, None)
                if not members:
                    del self._stores[entry[2]]
                    self._ghosts[entry[2]] = entry[1]

    # -- in-place writes

    def _written(  # noqa: PLR0913, PLR0917 - the same
        self,
        call: Call,
        tensors: list[Tensor],
        versions: list[int],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        results: list[Tensor],
    ) -> list[Tensor]:
        """Return the input tensors that the call changed in place."""
        name = call.name
        if name in _REBINDS and tensors:
            return tensors[:1]
        if name in _IN_PLACE_DUNDERS and args and isinstance(args[0], Tensor):
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
        moved = tensors[0]._version != versions[0] >= 0  # noqa: SLF001
        return tensors[:1] if moved else []

    def _write(self, call: Call, tensor: Tensor) -> None:
        """Give a written tensor, and every tensor that shares its storage, a new version."""
        if id(tensor) in self._param_ids:
            self._write_param(call, tensor)
            return
        own, base = self._known(tensor), _base(tensor)
        whole = self._known(base) if base is not None else None
        added = tuple(v for v in call.inputs if v is not own)
        if whole is not None:  # autograd links a written view to its base, past the view's own node
            call.inputs, call.live = (*call.inputs, whole), (*call.live, whole.rg)
        before = tuple(v for v in (whole or own,) if v is not None)
        fresh = call.name in _OVERWRITES or call.name == "data=" or _fills(call)
        self._rebind(call, tensor, added if fresh else (*before, *added))
        if call.name not in _REBINDS:
            kept = () if fresh and whole is None else before
            self._write_sharers(call, tensor, (*kept, *added), added)

    def _write_sharers(
        self, call: Call, tensor: Tensor, sources: tuple[Value, ...], added: tuple[Value, ...]
    ) -> None:
        """Give the tensors that share the storage of a written one a new version."""
        base = _base(tensor)
        for key in list(self._stores.get(_storage(tensor), {})):
            entry = self._live.get(key)
            other = entry[0]() if entry else None
            if entry is None or other is None or other is tensor or id(other) in self._param_ids:
                continue
            if base is other or _base(other) is (tensor if base is None else base):
                self._rebind(call, other, sources)
            else:  # through a detached alias data flows, and no gradient
                old = entry[1]
                call.inputs, call.live = (*call.inputs, old), (*call.live, old.rg)
                value = self._rebind(call, other, (old, *added))
                value.kind = "shared" if other.requires_grad and not tensor.requires_grad else "op"

    def _known(self, tensor: Tensor) -> Value | None:
        entry = self._live.get(id(tensor))
        return entry[1] if entry is not None and entry[0]() is tensor else None

    def _write_param(self, call: Call, tensor: Tensor) -> None:
        """Let data flow into a parameter; it stays the leaf that it is."""
        value = self.value(tensor)
        others = [v for v in call.inputs if v is not value]
        value.parents = tuple(dict.fromkeys((*value.parents, *others)))
        call.outputs.append(value)

    def _rebind(self, call: Call, tensor: Tensor, sources: tuple[Value, ...]) -> Value:
        value = Value(tensor, "op", call=call)
        value.parents = tuple(dict.fromkeys(sources))
        value.mark = _mark(call, value)
        value.index = len(call.outputs)
        call.outputs.append(value)
        self._bind(tensor, value)
        return value

    # -- grad mode

    def _module(self) -> str:
        return self._modules[-1] if self._modules else ""

    def _switch_grad(self, enabled: bool) -> None:  # noqa: FBT001 - torch's own argument
        if enabled:
            self._off = None
        elif torch.is_grad_enabled() or self._off is None:
            self._off = _describe_switch()

    def _why_off(self) -> Off:
        if self._off is not None:
            return self._off
        how = "torch.inference_mode" if torch.is_inference_mode_enabled() else FUNCTION
        return Off(how, ())

    # -- non-finite values

    def _check(self, call: Call, tensors: Iterable[Tensor], outputs: Iterable[Tensor]) -> None:
        """Note a call that makes a non-finite value from finite ones."""
        made, got = {_worst(t) for t in outputs}, {_worst(t) for t in tensors}
        if "nan" in made and "nan" not in got:
            self.nonfinite.append((call, "nan"))
        elif "inf" in made and not got & {"nan", "inf"} and not _asks_for_inf(call):
            self.nonfinite.append((call, "inf"))


def unseen(deed: Callable[..., Any], *args: Any) -> Any:  # noqa: ANN401
    """Do something of the guard's own out of sight of the user's function and dispatch modes."""
    with DisableTorchFunction():
        if not _dispatch_modes():
            return deed(*args)
        with _disable_current_modes():
            return deed(*args)


def _take_out(mode: TorchFunctionMode, depth: int) -> None:
    """Remove a mode that was pushed at `depth`, and leave all others as if it had never been there.

    A mode pops whatever is on top when it ends. One that was opened later may still be above; one
    that was opened earlier and has ended since has popped this mode instead of itself.
    """
    above = []
    while torch._C._len_torch_function_stack() > depth:  # noqa: SLF001
        top = torch._C._pop_torch_function_stack()  # noqa: SLF001
        if top is mode:
            break
        above.append(top)
    else:
        if depth:
            torch._C._pop_torch_function_stack()  # noqa: SLF001
    for other in reversed(above):
        torch._C._push_on_torch_function_stack(other)  # noqa: SLF001


def walk(loss: Tensor, params: Mapping[int, str]) -> tuple[LossView, list[Node]]:
    """Walk the autograd graph below a loss.

    Args:
        loss: float[], any device; may be a leaf or not require grad at all.
        params: id of a parameter -> its name.

    Returns:
        The view, and the nodes in the order of its indices. Drop the nodes soon: they keep the
        graph alive.

    Cost: about 1 us a node; no recursion, no tensor value is read.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(3))
        >>> walk((2 * w).sum(), {id(w): "w"})[0].params.keys()
        dict_keys(['w'])
    """
    view = LossView()
    view.requires_grad = loss.requires_grad
    if loss.grad_fn is None:
        if loss.requires_grad or id(loss) in params:
            _note_leaf(view, loss, -1, params)
        return view, []
    nodes: list[Node] = [loss.grad_fn]
    index = {loss.grad_fn: 0}
    names, children, seqs = view.names, view.children, view.seqs
    unusual: list[int] = []
    for node in nodes:  # grows while it runs
        position = len(names)
        kind = type(node).__name__
        names.append(kind)
        below = []
        for child, _ in node.next_functions:
            if child is None:
                below.append(-1)
                continue
            place = index.get(child)
            if place is None:
                place = index[child] = len(nodes)
                nodes.append(child)
            below.append(place)
        children.append(tuple(below))
        if below:
            seqs[node._sequence_nr()] = position  # noqa: SLF001
        if not below or kind == "NotImplemented" or isinstance(node, _OPAQUE_BASE):
            unusual.append(position)
    for position in unusual:
        _note_unusual(view, nodes[position], position, params)
    return view, nodes


def _note_leaf(view: LossView, leaf: Tensor, position: int, params: Mapping[int, str]) -> None:
    """Note a parameter or another leaf."""
    name = params.get(id(leaf))
    if name is not None:
        view.params[name] = position
    else:
        view.leaves[id(leaf)] = position
        view.leaf_refs[id(leaf)] = weakref.ref(leaf)


def _note_unusual(view: LossView, node: Node, position: int, params: Mapping[int, str]) -> None:
    """Note leaves, nodes of custom Functions and nodes without a derivative."""
    kind = type(node)
    variable = getattr(node, "variable", None) if not view.children[position] else None
    if variable is not None:
        _note_leaf(view, variable, position, params)
        return
    seq = node._sequence_nr()  # noqa: SLF001
    view.seqs[seq] = position
    if kind.__name__ == "NotImplemented":
        view.underived = (*view.underived, seq)
    if issubclass(kind, _OPAQUE_BASE):
        view.opaque = tuple(dict.fromkeys((*view.opaque, kind.__name__)))


def public_name(func: Any, name: str) -> str:  # noqa: ANN401
    """Return the name under which users know a torch function.

    Example:
        >>> public_name(torch.Tensor.argmax, "argmax")
        'torch.Tensor.argmax'
    """
    if func is None:
        unseen = {"Parameter": "torch.nn.Parameter", "alias": "torch.autograd.Variable"}
        return unseen.get(name, "torch.Tensor.data" if name == "data" else name)
    bare = name.removesuffix("=")
    if hasattr(torch.Tensor, bare) and _is_method(func):
        return f"torch.Tensor.{bare}"
    module = getattr(func, "__module__", None) or ""
    functional = not hasattr(torch, bare) and hasattr(torch.nn.functional, bare)
    if module.startswith("torch.nn.") or functional:
        return f"torch.nn.functional.{bare}"
    return f"torch.{bare}" if hasattr(torch, bare) or not module else f"{module}.{bare}"


def sequence_number(tensor: Tensor) -> int:
    """Return the sequence number of a tensor's autograd node, -1 without one."""
    try:
        node = tensor.grad_fn
    except RuntimeError:  # a view whose base was changed in a way that torch forbids
        return -1
    return -1 if node is None else int(node._sequence_nr())  # noqa: SLF001


def _is_method(func: Any) -> bool:  # noqa: ANN401
    owner = getattr(func, "__objclass__", None) or getattr(func, "__self__", None)
    if isinstance(owner, type) or type(owner).__name__ in {"getset_descriptor", "property"}:
        return True
    return str(getattr(func, "__qualname__", "")).startswith(("Tensor.", "TensorBase."))


def _is_materialised(tensor: Tensor) -> bool:
    return not torch.nn.parameter.is_lazy(tensor)


def _fills(call: Call) -> bool:
    """Say whether a call is `x[:] = y`."""
    return call.name == "__setitem__" and call.constants[1:2] == (slice(None),)


def _base(tensor: Tensor) -> Tensor | None:
    """Return the tensor that a differentiable view was taken of."""
    return tensor._base if tensor._is_view() else None  # noqa: SLF001


def _storage(tensor: Tensor) -> int:
    """Return the address of a tensor's storage, 0 where it has none."""
    try:
        address = tensor.data_ptr()  # 0 for a tensor without values, whose storage may have some
        if address:
            return int(address - tensor.storage_offset() * tensor.element_size())
        return int(tensor.untyped_storage().data_ptr())
    except (RuntimeError, NotImplementedError, ValueError):
        return 0


def _collect(items: Iterable[Any], found: list[Tensor], depth: int = 4) -> None:
    """Append the tensors in nested lists, tuples and dicts to `found`."""
    for item in items:
        if isinstance(item, Tensor):
            found.append(item)
        elif isinstance(item, (list, tuple)):
            if depth:
                _collect(item, found, depth - 1)
        elif isinstance(item, dict) and depth:
            _collect(item.values(), found, depth - 1)


def _constant(item: Any) -> Any:  # noqa: ANN401
    """Keep a small constant argument; anything else becomes `...`, so that no tensor is held."""
    if isinstance(item, _CONSTANTS):
        return ... if type(item) is Slot else item
    if isinstance(item, (tuple, list)) and all(isinstance(i, _CONSTANTS) for i in item):
        return ... if Slot in map(type, item) else tuple(item)
    return ...


def _mark(call: Call, value: Value) -> int:
    """Say whether data of a parameter is in a value, and whether a hard decision lies before it."""
    mark = max((v.mark for v in value.parents), default=FREE)
    smooth = value.dtype.is_floating_point or value.dtype.is_complex
    if mark == FED and (call.name in STEPS or not smooth):
        return HARD
    return mark


def _recipe(
    args: tuple[Any, ...], kwargs: dict[str, Any], inputs: tuple[Value, ...]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the arguments with tensors replaced by places, `None` where one is no constant."""
    counter = iter(range(len(inputs)))
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


def _caller() -> FrameType | None:
    """Return the frame that made the recorded call, for a look, not for keeping."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame


def _library_name(frame: FrameType | None) -> str:
    """Return the running torchmetrics class or function, the one that the user would name."""
    functions: list[str] = []
    while frame is not None and "torch" in frame.f_code.co_filename:
        name, path = frame.f_code.co_name, frame.f_code.co_filename
        if name in {"update", "compute", "forward"}:
            owner = type(frame.f_locals.get("self"))
            if owner.__module__.startswith("torchmetrics"):
                return owner.__name__
        if "/torchmetrics/functional/" in path.replace("\\", "/") and name[0] not in "_<":
            functions.append(name)
        frame = frame.f_back
    exact = [f for f in functions if f.startswith(("binary_", "multiclass_", "multilabel_"))]
    return (exact or functions or [""])[-1]


def domain_of(tensor: Tensor) -> str:
    """Return `bits`, `signs`, `integers` or `reals`: what values a tensor of any type has."""
    if tensor.is_complex() or tensor.layout is not torch.strided:
        return "reals"
    if bool(((tensor == 0) | (tensor == 1)).all()):
        return "bits"
    if bool((tensor.abs() == 1).all()):
        return "signs"
    return "integers" if bool((tensor == tensor.round()).all()) else "reals"


def version_of(tensor: Tensor) -> int:
    """Return the version counter of a tensor, -1 where it has none."""
    return -1 if tensor.is_inference() else int(tensor._version)  # noqa: SLF001


def _describe_switch() -> Off:
    """Say who switched recording off: block, decorator, function call or checkpoint."""
    stack = capture(5)
    if caller_in("/torch/utils/checkpoint.py", 5) is not None:
        return Off("torch.utils.checkpoint.checkpoint", stack)
    decorator = caller_in("/torch/utils/_contextlib.py", 5)
    frame = caller_in("/torch/autograd/grad_mode.py", 3)
    owner = "set_grad_enabled"
    while frame is not None and frame.f_code.co_filename.endswith("/torch/autograd/grad_mode.py"):
        owner, frame = frame.f_code.co_qualname.partition(".")[0], frame.f_back
    wrapped = decorator.f_locals.get("func") if decorator is not None else None
    return Off(f"torch.{owner}", stack, getattr(wrapped, "__code__", None))


def _asks_for_inf(call: Call) -> bool:
    """Say whether a call was given an infinity, as a mask of attention scores is."""
    given = (*call.constants, *call.keywords.values())
    return any(isinstance(c, float) and math.isinf(c) for c in given)


def _worst(tensor: Tensor) -> str:
    """Return `nan`, `inf` or `""` for the values of a floating point tensor."""
    if not (tensor.is_floating_point() or tensor.is_complex()) or tensor.numel() == 0:
        return ""
    values = tensor.detach()
    if bool(torch.isfinite(values).all()):
        return ""
    return "nan" if bool(torch.isnan(values).any()) else "inf"


def _ignored() -> frozenset[Any]:
    names = [name for name in _IGNORED_METHODS if hasattr(torch.Tensor, name)]
    functions = {torch.is_tensor, torch.is_floating_point, torch.is_complex, torch.numel}
    return frozenset({getattr(torch.Tensor, name) for name in names} | functions)


class _Ref(weakref.ref[Tensor]):
    """A weak reference that knows whose place is free when its tensor is gone."""

    __slots__ = ("key",)
    key: int


_new_value: Any = object.__new__
_NOT_YET = (None, None)
_USUAL = usual_functions(
    _EXITS
    | _REBINDS
    | _IN_PLACE_DUNDERS
    | {"register_hook", "backward", "_set_grad_enabled", "__get__", "__set__", "__deepcopy__"}
)
_IGNORED = _ignored()
_dispatch_modes: Callable[[], int] = torch._C._len_torch_dispatch_stack  # noqa: SLF001
_sequence: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]  # noqa: SLF001
if sys.implementation.name != "cpython":  # pragma: no cover - instruction offsets are CPython's
    _IGNORED = frozenset()
