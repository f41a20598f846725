# SPDX-License-Identifier: Apache-2.0
"""What is recorded of one training step: values, calls, losses, and the trace that holds them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch._C import _functorch

from lightning_gradguard.source import Stack
from lightning_gradguard.trace.arguments import constant_of
from lightning_gradguard.trace.functions import EXITS

if TYPE_CHECKING:
    import weakref

__all__ = [
    "FED", "FREE", "FUNCTION", "HARD", "SCRIPTED", "Call", "FullCall", "KindValue", "LossView",
    "Off", "Trace", "Value", "domain_of", "is_materialised", "is_wrapped", "public_name",
    "sequence_number", "shape_of", "version_of",
]  # fmt: skip

FUNCTION = "torch.autograd.Function"
SCRIPTED = "__torch__"  # the module of a function that TorchScript has compiled
FREE, FED, HARD = 0, 1, 2
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
        ref: to its tensor.
        store: address of its storage, 0 where it has none.
        mark: whether data of a parameter flows in (`FED`), and through a hard decision (`HARD`).
    """

    # Of the results of usual calls there are thousands, which differ in these alone.
    __slots__ = (
        "call", "dtype", "mark", "parents", "ref", "rg", "seq", "shape", "store", "tensor_id",
    )  # fmt: skip
    kind = "op"
    name = ""
    index = 0
    call: "Call | None"
    dtype: torch.dtype
    mark: int
    parents: "tuple[Value, ...]"
    ref: "weakref.ref[Tensor]"
    rg: bool
    seq: int
    shape: tuple[int, ...]
    store: int
    tensor_id: int

    def describe(self) -> str:
        """Return dtype and shape, as in `float32[32, 10]`."""
        return f"{str(self.dtype).removeprefix('torch.')}[{', '.join(map(str, self.shape))}]"


class KindValue(Value):
    """A value of any kind.

    Args:
        tensor: what holds it.
        kind: see `Value`.
        name: of the parameter, buffer or place in the batch.
        call: the call that made it.
    """

    __slots__ = ("index", "kind", "name")

    def __init__(
        self, tensor: Tensor, kind: str, name: str = "", call: "Call | None" = None
    ) -> None:
        self.kind, self.name, self.call, self.index = kind, name, call, 0
        self.mark, self.parents = FED if kind == "param" else FREE, ()
        self.shape = shape_of(tensor) if kind != "param" or is_materialised(tensor) else ()
        self.dtype = tensor.dtype
        self.rg = tensor.requires_grad
        self.seq = sequence_number(tensor) if self.rg else -1


class Off:
    """Why no gradient was recorded: `how` is a public name, `stack` where it was switched off."""

    __slots__ = ("decorated", "how", "stack")

    def __init__(self, how: str, stack: Stack, decorated: Any = None) -> None:  # noqa: ANN401
        self.how, self.stack, self.decorated = how, stack, decorated


class Call:
    """One recorded call.

    Attributes:
        index: place among the calls of the step.
        func: the function; `None` for what was not seen and only concluded.
        name: of the function.
        stack: where it was called.
        module: name of the module that ran.
        inputs: values of the tensors among the arguments.
        live: which of them required grad before the call.
        outputs: the values that it made or wrote.
        off: why no gradient was recorded, if so.
        parts: the positional arguments with a `Slot` for every tensor, `None` where one is neither
            tensor nor constant.
        named_parts: the same for keyword arguments.
        given: the constants among the arguments, where there are no parts.
        first_seq: sequence number that the next node would have had before the call.
        last_seq: the same after it.
        exit_value: the number that it handed out of torch.
        library: the torchmetrics class or function that made it.
    """

    __slots__ = (
        "first_seq", "func", "index", "inputs", "last_seq", "live", "module", "name", "off",
        "outputs", "parts", "stack",
    )  # fmt: skip
    exit_value: Any = None
    given: tuple[tuple[Any, ...], Mapping[str, Any]] = ((), MappingProxyType({}))
    library = ""
    named_parts: Mapping[str, Any] = MappingProxyType({})
    first_seq: int
    func: Any
    index: int
    inputs: tuple[Value, ...]
    last_seq: int
    live: tuple[bool, ...]
    module: str
    name: str
    off: Off | None
    outputs: tuple[Value, ...]
    parts: tuple[Any, ...] | None
    stack: Stack

    @property
    def recipe(self) -> tuple[tuple[Any, ...], Mapping[str, Any]] | None:
        """Return the arguments with a `Slot` for every tensor, `None` where one is no constant."""
        return None if self.parts is None else (self.parts, self.named_parts)

    @property
    def constants(self) -> tuple[Any, ...]:
        """Return the positional arguments; what is no small constant is `...`."""
        return self.given[0] if self.parts is None else tuple(map(constant_of, self.parts))

    @property
    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments in the same way."""
        if self.parts is None:
            return dict(self.given[1])
        return {name: constant_of(part) for name, part in self.named_parts.items()}

    @property
    def is_exit(self) -> bool:
        """Say whether the call hands values out of torch."""
        return self.name in EXITS

    @property
    def public(self) -> str:
        """Return the public name, as in `torch.Tensor.argmax`."""
        return public_name(self.func, self.name)


class FullCall(Call):
    """A call with everything that a call may have."""

    __slots__ = ("exit_value", "given", "library", "named_parts")

    def __init__(  # noqa: PLR0913, PLR0917 - in the order in which they are known
        self,
        index: int,
        func: Any,  # noqa: ANN401
        name: str,
        stack: Stack,
        module: str,
        named_parts: Mapping[str, Any] = Call.named_parts,
    ) -> None:
        self.index, self.func, self.name, self.stack, self.module = index, func, name, stack, module
        self.inputs, self.live, self.outputs, self.parts = (), (), (), None
        self.off, self.exit_value, self.library = None, None, ""
        self.given, self.named_parts = Call.given, named_parts
        self.first_seq = self.last_seq = -1


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
        self.passed = 0  # calls that made and changed nothing
        self.seconds = 0.0
        self.truncated = False
        self.fault: BaseException | None = None
        self.kept: dict[Value, tuple[Tensor, int]] = {}
        self.kept_bytes = 0
        self.names_metrics = True
        self.outliving: list[Value] = []  # their graph is held beyond the step
        self.domains: dict[Value, str] = {}
        self.made_by: dict[Value, tuple[str, int, int]] = {}  # module, number of its call, place
        self.recognised: dict[Any, Any] = {}  # answers that the held tensors gave

    @property
    def seen(self) -> int:
        """Return how many calls there were, recorded or not."""
        return len(self.calls) + self.passed

    def keep(self, value: Value, tensor: Tensor) -> None:
        """Hold a small tensor of a cut chain until the backward pass of its loss begins."""
        if tensor.layout is not torch.strided or value in self.kept or is_wrapped(tensor):
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
    if module == SCRIPTED:
        return bare
    functional = not hasattr(torch, bare) and hasattr(torch.nn.functional, bare)
    if module.startswith("torch.nn.") or functional:
        return f"torch.nn.functional.{bare}"
    return f"torch.{bare}" if hasattr(torch, bare) or not module else f"{module}.{bare}"


def _is_method(func: Any) -> bool:  # noqa: ANN401
    owner = getattr(func, "__objclass__", None) or getattr(func, "__self__", None)
    if isinstance(owner, type) or type(owner).__name__ in {"getset_descriptor", "property"}:
        return True
    return str(getattr(func, "__qualname__", "")).startswith(("Tensor.", "TensorBase."))


def sequence_number(tensor: Tensor) -> int:
    """Return the sequence number of a tensor's autograd node, -1 without one."""
    try:
        node = tensor.grad_fn
    except RuntimeError:  # a view whose base was changed in a way that torch forbids
        return -1
    return -1 if node is None else int(node._sequence_nr())  # noqa: SLF001


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """Return the shape of a tensor; a ragged one has a length only, and -1 for the rest."""
    if tensor.is_nested:
        return (int(tensor.size(0)), *([-1] * (tensor.dim() - 1)))
    return tuple(tensor.shape)


def is_wrapped(tensor: Tensor) -> bool:
    """Say whether a tensor only exists within `torch.vmap` or `torch.func`: it cannot be read."""
    return bool(_functorch.is_functorch_wrapped_tensor(tensor))


def is_materialised(tensor: Tensor) -> bool:
    """Say whether a tensor has a shape already; a lazy parameter has none before its first use."""
    return not torch.nn.parameter.is_lazy(tensor)


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
