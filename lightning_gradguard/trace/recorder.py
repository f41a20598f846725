# SPDX-License-Identifier: Apache-2.0
"""The function mode that sees every public torch call and takes it down."""

import math
import sys
import weakref
from collections.abc import Callable, Iterable, Mapping
from itertools import product
from threading import get_ident
from types import FrameType
from typing import Any, Self

import torch
from torch import Tensor
from torch._C import DisableTorchFunction
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

from lightning_gradguard import ops
from lightning_gradguard.source import METRIC, capture, kind_of
from lightning_gradguard.trace.arguments import collect, constant_of, recipe_of, tensors_in
from lightning_gradguard.trace.book import Book, storage_of
from lightning_gradguard.trace.compiled import listen
from lightning_gradguard.trace.functions import DATA_GETTERS, IGNORED, SHARING, USUAL
from lightning_gradguard.trace.model import (
    FED,
    FREE,
    FUNCTION,
    HARD,
    Call,
    FullCall,
    KindValue,
    Off,
    Trace,
    Value,
    is_wrapped,
    sequence_number,
    shape_of,
    version_of,
)
from lightning_gradguard.trace.places import Places
from lightning_gradguard.trace.surroundings import (
    describe_switch,
    dispatch_modes,
    leaves_block,
    library_name,
    take_out,
)
from lightning_gradguard.trace.writes import mark_of, rescaled, write, written
from lightning_gradguard.usual import (
    DIFFERENTIABLE,
    FIRST_ONLY,
    FIRST_SLOTS,
    PLAIN,
    SLOTS,
    Slot,
    Usual,
    pack,
)

__all__ = ["DEFAULT_CALL_LIMIT", "Recorder"]

DEFAULT_CALL_LIMIT = 200_000
# Their second result counts elements; it is made of the second argument alone.
_LENGTHS_SECOND = frozenset({"_pack_padded_sequence", "_pad_packed_sequence"})
_FEW = 3  # parents of a value that was selected or reshaped


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

    Cost: 4 to 8 us a torch call, no device work unless `check_values` is set.
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
        self._places = Places()
        self._book = Book(self.trace, self._places, params, buffers or {}, batch or {})
        self._live, self._calls = self._book.live, self.trace.calls
        modules = modules or {}
        self._compiled = any(type(m).__name__ == "OptimizedModule" for m in modules.values())
        self._module_names = {id(m): name for name, m in modules.items()}
        self._turns: dict[str, int] = {}
        self._thread = get_ident()
        self._hooks: list[Any] = []
        self._off: Off | None = None
        self._inside_function = False
        self._covered: list[Off] = []  # switched off around a block that records
        self._limit = limit
        self._on_loss = on_loss
        self._check_values = check_values
        self.nonfinite: list[tuple[Call, str]] = []
        self._swift = False  # no need to look closer at every call

    def __enter__(self) -> Self:
        """Start recording; module names come from global hooks, no module is touched."""
        hooks = torch.nn.modules.module
        if not self._compiled:  # a compiled module warns when it meets global hooks
            self._hooks = [
                hooks.register_module_forward_pre_hook(self._enter_module),
                hooks.register_module_forward_hook(self._leave_module, always_call=True),
            ]
        self._depth = torch._C._len_torch_function_stack()  # noqa: SLF001
        self._swift = not (self._check_values or self._depth or self._is_over())
        self._places.resume()
        self._deafen = listen(self._told, self._has_met)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop recording and forget every tensor."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._deafen()
        take_out(self, self._depth)

    def _told(
        self, func: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:  # noqa: ANN401 - whatever torch returns
        """Record a call that no function mode hears of."""
        if self._is_over() or get_ident() != self._thread:
            return func(*args, **kwargs)
        return self._record(func, name, args, kwargs)

    def _has_met(self, tensor: Tensor) -> bool:
        """Say whether a tensor from foreign memory is tied to a value of the step already."""
        if self._is_over() or get_ident() != self._thread:
            return True
        value = self._guard(self._book.value, tensor)
        return value is None or value.kind != "unknown"

    def forget(self) -> None:
        """Drop what was needed only while the step ran."""
        self.trace.outliving = self._book.outliving()
        self._book.forget()
        self.trace.drop()
        self._on_loss = None

    def value(self, tensor: Tensor) -> Value:
        """Return the value that a tensor holds now."""
        return self._book.value(tensor)

    def _enter_module(self, module: torch.nn.Module, _args: object) -> None:
        name = self._module_names.get(id(module), "")
        if get_ident() == self._thread:
            self._places.enter(name, sys._getframe(1))  # noqa: SLF001 - its number is kept
        else:
            self.trace.elsewhere.add(name)

    def _leave_module(self, module: torch.nn.Module, _args: object, output: object) -> None:
        if get_ident() == self._thread:
            self._places.leave()
            name = self._module_names.get(id(module))
            if name is not None:
                self._note_outputs(name, output)

    def _note_outputs(self, name: str, output: object) -> None:
        """Remember which values a named module has handed out, and at which of its calls."""
        turn = self._turns.get(name, 0)
        self._turns[name] = turn + 1
        tensors: list[Tensor] = []
        collect((output,), tensors)
        for place, tensor in enumerate(tensors):
            value = self._book.known(tensor)
            if value is not None:
                self.trace.made_by[value] = (name, turn, place)

    def __torch_function__(
        self,
        func: Any,  # noqa: ANN401
        types: Any,  # noqa: ANN401
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """Record one call and return what it returns."""
        usual = USUAL.get(func)
        if usual is None or not self._swift or dispatch_modes():
            return self._record_other(func, args, kwargs or {})
        call = None
        try:  # noqa: SIM105 - what it names takes longer
            call = self._usual_call(usual, func, args, kwargs)
        except Exception:  # noqa: BLE001, S110 - what is unusual after all takes the longer way
            pass
        if call is None:  # not above: an error of the user's call is to have none before it
            return self._record(func, usual.name, args, kwargs or {})
        out = func(*args, **kwargs) if kwargs else func(*args)
        try:
            known = self._live.get(id(out))
            if type(out) is Tensor and (known is None or known.ref() is not out):
                self._after_usual(usual, call, args, kwargs, out)
            else:
                call.outputs, tensors = (), tensors_in(args, kwargs)
                versions = list(map(version_of, tensors))
                self._guard(self._after, call, tensors, versions, args, kwargs or {}, out)
        except Exception as fault:  # noqa: BLE001 - by contract nothing of ours may stop a training
            self._fail(fault)
        return out

    def _record_other(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        """Record a call that may be anything."""
        if func in IGNORED or self._is_over():
            return func(*args, **kwargs)
        name = func.__name__
        if name in {"__get__", "__set__"}:
            name = func.__self__.__name__ + ("=" if name == "__set__" else "")
            if name not in DATA_GETTERS and name not in {"requires_grad=", "data="}:
                return func(*args, **kwargs)
        elif name == "_set_grad_enabled":
            self._guard(self._switch_grad, args[0])
            return func(*args, **kwargs)
        elif name == "backward" and self._on_loss is not None:
            self._guard(self._on_loss, args[0])
            return func(*args, **kwargs)
        return self._record(func, name, args, kwargs)

    def _usual_call(
        self,
        usual: Usual,
        func: Any,  # noqa: ANN401
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
    ) -> Call:
        """Make the record of a call.

        Raises:
            Exception: the call is of another kind after all, or within a metric, whose name takes a
                longer look.
        """
        if usual.inplace >= 0 and usual.writes(args, kwargs):
            raise TypeError
        known = self._live
        values: list[Value] = []
        live: list[bool] = []
        for item in args:  # the tensors, which nearly always come first
            kind = type(item)
            if kind is not Tensor and kind is not _Parameter:
                break
            value = known.get(id(item))
            rg = item.requires_grad
            if value is None or value.ref() is not item or rg is not value.rg:
                value = self._book.value(item)
            values.append(value)
            live.append(rg)
        parts, rest = FIRST_SLOTS[len(values)], args[len(values) :]
        if rest:
            plain = PLAIN.issuperset(map(type, rest))
            parts += rest if plain else self._parts(rest, values, live)
        if kwargs:
            named = self._named_parts(kwargs, values, live)
            call: Call = FullCall(0, func, usual.name, (), "", named)
        else:
            call = _new(Call)
            call.func, call.name, call.off = func, usual.name, None
        places = self._places
        call.stack, call.module = places.above(sys._getframe(2)), places.modules[-1]  # noqa: SLF001 - a look, no frame is kept
        call.parts, call.inputs, alike = parts, tuple(values), tuple(live)
        call.live = _ALIKE.get(alike, alike)  # the same few over and over
        if not _grad_enabled():
            call.off = self._why_off()
        elif self._off is not None:  # switched on again where it is not seen, as in a checkpoint
            self._off = None
        call.first_seq = _sequence()
        return call

    def _parts(
        self, items: Iterable[Any], values: list[Value], live: list[bool]
    ) -> tuple[Any, ...]:
        """Read arguments with tensors anywhere among them."""

        def take(tensor: Tensor) -> Slot:
            """Add a tensor to the inputs of the call."""
            values.append(self._book.value(tensor))
            live.append(tensor.requires_grad)
            return SLOTS[len(live) - 1]

        return tuple([pack(item, take) for item in items])

    def _named_parts(
        self, kwargs: dict[str, Any], values: list[Value], live: list[bool]
    ) -> dict[str, Any]:
        """Read keyword arguments; a call that writes to one of them is unusual."""
        if "out" in kwargs:
            raise TypeError
        return dict(zip(kwargs, self._parts(kwargs.values(), values, live), strict=True))

    def _after_usual(
        self,
        usual: Usual,
        call: Call,
        args: tuple[Any, ...],
        kwargs: dict[str, Any] | None,
        out: Tensor,
    ) -> None:
        """Add what came of a call to the record."""
        call.last_seq = last = _sequence()
        value: Value = _new(Value)
        value.call, value.dtype, value.rg = call, out.dtype, out.requires_grad
        try:
            value.shape = out.shape
        except RuntimeError:  # a ragged one has none
            value.shape = shape_of(out)
        if not value.rg:
            value.seq = -1
        else:  # if only one node was made, it is that of the result
            value.seq = call.first_seq if last == call.first_seq + 1 else sequence_number(out)
        mark, parents = FREE, call.inputs
        if usual.structure:
            parents = ()
        elif usual.first_only:
            parents = parents[:1]
        for parent in parents:
            if parent.mark > mark:  # noqa: PLR1730 - faster
                mark = parent.mark
        if mark == FED and (usual.step or value.dtype not in DIFFERENTIABLE):
            mark = HARD
        value.mark, value.parents, call.outputs = mark, parents, (value,)
        self._append(call)
        self._book.bind(out, value)
        if mark == HARD or not value.shape or not call.inputs:
            self._guard(self._keep, call, tensors_in(args, kwargs), [out])

    def _append(self, call: Call) -> None:
        """Take a call into the trace, which is full at its limit."""
        calls = self._calls
        call.index = index = len(calls)
        calls.append(call)
        if index + 1 >= self._limit:
            self.trace.truncated = True
            self._swift = False

    def _fail(self, fault: Exception) -> None:
        self.trace.fault = fault
        self._swift = False

    def _is_over(self) -> bool:
        return self.trace.truncated or self.trace.fault is not None

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
                if dispatch_modes():
                    with _disable_current_modes():
                        return step(*args)
                return step(*args)
        except Exception as fault:  # noqa: BLE001 - by contract nothing of ours may stop a training
            self._fail(fault)
            return None

    def _before(
        self,
        func: Any,  # noqa: ANN401
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> tuple[Call, list[Tensor], list[int]]:
        trace = self.trace
        tensors = tensors_in(args, kwargs)
        call = FullCall(len(trace.calls), func, name, capture(4), self._places.modules[-1])
        call.inputs = tuple([self._book.value(t) for t in tensors])
        call.live = tuple([t.requires_grad for t in tensors])
        if not torch.is_grad_enabled():
            call.off = self._why_off()
        elif self._off is not None:
            self._off = None
        recipe = recipe_of(args, kwargs, len(call.inputs))
        if recipe is not None:
            call.parts, call.named_parts = recipe
        else:
            constants = tuple(map(constant_of, args))
            call.given = (constants, {k: constant_of(v) for k, v in kwargs.items()})
        caller = _caller()
        if caller is not None and kind_of(caller.f_code.co_filename) == METRIC:
            call.library = library_name(caller)
        call.first_seq = _sequence()
        return call, tensors, list(map(version_of, tensors))

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
            collect((out,), results)
        changed = written(call, tensors, versions, args, kwargs, results)
        changed += rescaled(self._book, tensors, versions, changed)
        noted = call.is_exit or call.name == "register_hook"
        if not changed and not results and not noted:
            self.trace.passed += 1
            return
        if call.name in SHARING and tensors:
            self._book.exported[storage_of(tensors[0])] = (weakref.ref(out), call.inputs[0])
        if call.is_exit and isinstance(out, (bool, int, float, complex)):
            call.exit_value = out
        known = {id(t) for t in tensors}
        fresh = [t for t in results if id(t) not in known]
        if not fresh and not changed and not noted:
            self.trace.passed += 1
            return
        self._append(call)
        for tensor in changed:
            write(self._book, call, tensor)
        for position, tensor in enumerate(fresh):
            self._book.bind(tensor, self._result(call, tensor, position))
        self._keep(call, tensors, changed + fresh)
        if self._check_values:
            self._check(call, tensors, fresh + changed)

    def _keep(self, call: Call, tensors: list[Tensor], results: list[Tensor]) -> None:
        """Hold what a recognised metric is checked with: small tensors around hard decisions."""
        for value, tensor in zip(call.outputs, results, strict=False):
            if not value.shape and value.dtype.is_floating_point and not is_wrapped(tensor):
                self.trace.scalars[value] = tensor.detach()
        if call.is_exit or any(v.mark == HARD for v in call.outputs):
            for value, tensor in zip(call.inputs, tensors, strict=False):
                self.trace.keep(value, tensor)
                self._keep_above(value)
        elif call.inputs:
            return
        for value, tensor in zip(call.outputs, results, strict=False):
            if call.inputs or not value.shape:
                self.trace.keep(value, tensor)

    def _keep_above(self, value: Value, depth: int = 4) -> None:
        """Hold what a value was selected or reshaped from, as long as it still exists."""
        near = depth and value.mark == FED and len(value.parents) <= _FEW
        for parent in value.parents if near else ():
            tensor = parent.ref() if self._live.get(parent.tensor_id) is parent else None
            if tensor is not None and parent.kind not in {"param", "buffer"}:
                self.trace.keep(parent, tensor)
            self._keep_above(parent, depth - 1)

    def _result(self, call: Call, tensor: Tensor, position: int) -> Value:
        value = KindValue(tensor, "op", call=call)
        value.index = position
        row = ops.OPS.get(call.name)
        if row is not None and row.kind is ops.Kind.SHAPE:
            value.parents = ()
        elif call.name in FIRST_ONLY:
            value.parents = call.inputs[:1]
        elif position and call.name in _LENGTHS_SECOND:
            value.parents = call.inputs[1:]
        else:
            value.parents = call.inputs
        value.mark = mark_of(call, value)
        call.outputs += (value,)
        return value

    def _switch_grad(self, enabled: bool) -> None:  # noqa: FBT001 - torch's own argument
        if enabled:
            if self._off is not None and not leaves_block():  # recorded for a while, inside a block
                self._covered.append(self._off)
            self._off = None
        elif self._covered and torch.is_grad_enabled() and leaves_block():
            self._off = self._covered.pop()
        elif torch.is_grad_enabled() or self._off is None:
            self._off = describe_switch()
            self._inside_function = not torch.is_grad_enabled()
        elif self._inside_function and leaves_block():  # its recording was off without the block
            self._off = None

    def _why_off(self) -> Off:
        if self._off is not None:
            return self._off
        how = "torch.inference_mode" if torch.is_inference_mode_enabled() else FUNCTION
        return Off(how, ())

    def _check(self, call: Call, tensors: Iterable[Tensor], outputs: Iterable[Tensor]) -> None:
        """Note a call that makes a non-finite value from finite ones."""
        made, got = {_worst(t) for t in outputs}, {_worst(t) for t in tensors}
        if "nan" in made and "nan" not in got:
            self.nonfinite.append((call, "nan"))
        elif "inf" in made and not got & {"nan", "inf"} and not _asks_for_inf(call):
            self.nonfinite.append((call, "inf"))


def _caller() -> FrameType | None:
    """Return the frame that made the recorded call, for a look, not for keeping."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame


def _asks_for_inf(call: Call) -> bool:
    """Say whether a call was given an infinity, as a mask of attention scores is."""
    if not call.inputs:  # a constant of the user's own
        return True
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


_new: Any = object.__new__
_Parameter = torch.nn.Parameter
_ALIKE = {t: t for n in (1, 2, 3) for t in product((True, False), repeat=n)}
_grad_enabled: Callable[[], bool] = torch.is_grad_enabled
_sequence: Callable[[], int] = torch.autograd._get_sequence_nr  # type: ignore[attr-defined]  # noqa: SLF001
